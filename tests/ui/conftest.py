"""The page in Chromium, beside a service that runs on SQLite."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser

from rig import waiting
from rig.documents.recording import running
from tests.ui.screen import Answer, Data, Screen

WIDE, PHONE = (1280, 900), (390, 844)

Open = Callable[..., Screen]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that all tests share. It has the products of `run`."""
    with running(tmp_path_factory.mktemp("site")) as settings:
        yield f"http://127.0.0.1:{settings.api_port}"


@pytest.fixture
def open_screen(browser: Browser, site: str) -> Iterator[Open]:
    """Opens a screen in a new browser profile. Afterwards it must have kept its policy."""
    opened: list[Screen] = []

    def open_screen(
        path: str,
        *,
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        site: str = site,
        answers: Mapping[str, Answer | Data] | None = None,
    ) -> Screen:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(waiting.seconds(10) * 1000)
        screen = Screen(context.new_page(), site)
        opened.append(screen)
        screen.answer(answers or {})
        screen.open(path)
        return screen

    yield open_screen
    try:
        for screen in opened:
            screen.assert_clean()
    finally:
        for screen in opened:
            screen.page.context.close()
