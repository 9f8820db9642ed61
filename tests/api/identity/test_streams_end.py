"""A stream ends when the token of its client expires."""

import time
from itertools import islice

from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import Api


def test_the_road_is_not_shown_after_the_token_has_expired(secured: Api) -> None:
    soon = token(scope="orders:operate", exp=int(time.time()) + 3)

    with (
        Api.on(secured.databases, **WITH_SECRET, AUTH_LEEWAY_SECONDS="0") as strict,
        strict.client.get("/admin/live", headers=bearer(soon)) as response,
    ):
        chunks = list(islice(response.iter_encoded(), 50))

    assert response.status_code == 200
    assert any(b"event: road" in chunk for chunk in chunks)
    assert len(chunks) < 50, "it has ended by itself"
