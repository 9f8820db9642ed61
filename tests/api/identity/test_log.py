"""Log lines name the client of a request, and never its token."""

from structlog.testing import capture_logs

from orders_service.api.identity import principal
from tests.api.identity.kit import Client, bearer, token
from tests.api.kit import Api


def test_a_line_has_the_user_and_the_key_and_no_token(secured: Api) -> None:
    sent = token(scope="")

    with capture_logs([principal.add_to_line]) as lines:
        Client(secured, bearer(sent)).get()
        Client(secured, bearer(sent + "x")).get()

    assert [(line.get("user"), line.get("kid")) for line in lines] == [("kim", "HS256"), (None, None)]
    assert sent not in str(lines)
    assert sent.rpartition(".")[2] not in str(lines)


def test_a_line_outside_a_request_names_nobody() -> None:
    assert principal.add_to_line(None, "info", {"event": "listening"}) == {"event": "listening"}
