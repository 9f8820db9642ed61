"""OpenTelemetry is an extra: what is told without it, and what is loaded when tracing is off."""

import subprocess
import sys
from pathlib import Path

import pytest

from orders_service.processes import PROCESSES
from rig import waiting
from rig.processes import ended

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that does not find OpenTelemetry: an empty package has its name."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry/__init__.py").touch()
    return {"PYTHONPATH": f"{tmp_path}:{ROOT}", "STATE_DIR": str(tmp_path)}


@pytest.mark.parametrize("command", ["run", *(process.command for process in PROCESSES)])
def test_a_process_that_should_trace_says_how_to_install_the_extra(
    command: str, without: dict[str, str]
) -> None:
    done = ended(command, **without, **ENDPOINT)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "The settings are invalid:",
        "  OTEL_EXPORTER_OTLP_ENDPOINT needs the extra `otel`, which is not installed:"
        " pip install 'orders-service[otel]'",
    ]


def test_the_service_works_without_the_extra(without: dict[str, str]) -> None:
    done = ended("migrate", **without)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module", [*(process.module for process in PROCESSES), "orders_service.commands.run"]
)
def test_opentelemetry_is_not_loaded_before_tracing_is_on(module: str) -> None:
    script = f"import sys, {module}\nprint([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=waiting.seconds(30),
        check=True,
    )

    assert done.stdout == "[]\n"
