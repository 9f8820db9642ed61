"""RATE_LIMIT: each client may send so many requests in a period."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.api import rate_limit
from orders_service.api.database import READER
from orders_service.api.rate_limit import CLIENTS_MAX, Quota, QuotaExceeded, RateLimit
from orders_service.settings import Settings
from rig.databases import Databases
from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import ORDERS, Api, assert_nothing_written, assert_problem, member

REGISTERED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
STATE = re.compile(r'"user";r=(\d+);t=(\d+)')


@pytest.fixture
def limited(databases: Databases) -> Iterator[Api]:
    """An API where each client may send three requests a minute."""
    api = Api.on(databases, RATE_LIMIT="3/min", API_WORKERS="1")
    yield api
    api.close()


def limit(requests: int, seconds: int, clock: list[float]) -> RateLimit:
    """A rate limit whose time is the number in *clock*."""
    return RateLimit(Quota(requests, seconds), clock=lambda: clock[0])


def is_taken(of: RateLimit, client: str, count: int = 1) -> bool:
    """Whether *client* may send *count* requests now."""
    try:
        of.take(client, count)
    except QuotaExceeded:
        return False
    return True


def state(of: RateLimit, client: str) -> tuple[int, int]:
    """The remaining requests of *client*, and the seconds until all are free."""
    match = STATE.fullmatch(of.state(client))
    assert match
    return int(match[1]), int(match[2])


@given(
    st.integers(1, 50),
    st.sampled_from([1, 60]),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=200),
)
def test_no_period_has_more_than_the_saved_and_the_new_requests(
    requests: int, seconds: int, pauses: list[tuple[float, int]]
) -> None:
    clock = [1000.0]
    of, taken = limit(requests, seconds, clock), [0.0]

    for pause, count in pauses:
        clock[0] += pause
        taken.append(taken[-1] + (count if is_taken(of, "kim", count) else 0))
        passed = clock[0] - 1000.0

        assert taken[-1] <= requests + passed * requests / seconds + 1e-6


@given(st.integers(1, 50), st.sampled_from([1, 60]), st.integers(0, 100))
def test_a_client_can_rely_on_the_remaining_number_and_on_the_time_to_wait(
    requests: int, seconds: int, first: int
) -> None:
    clock = [1000.0]
    of = limit(requests, seconds, clock)
    for _ in range(first):
        is_taken(of, "kim")

    remaining, reset = state(of, "kim")
    assert remaining == max(0, requests - first)
    assert [is_taken(of, "kim") for _ in range(remaining + 1)] == [True] * remaining + [False]
    with pytest.raises(QuotaExceeded) as refusal:
        of.take("kim")
    clock[0] += refusal.value.seconds
    assert is_taken(of, "kim")
    clock[0] += seconds
    assert state(of, "kim") == (requests, 0)
    assert reset <= seconds


def test_a_refused_request_does_not_count() -> None:
    clock = [0.0]
    of = limit(2, 60, clock)
    of.take("kim", 2)

    for _ in range(100):
        assert not is_taken(of, "kim")

    clock[0] += 30
    assert is_taken(of, "kim")


def test_what_is_more_than_the_whole_quota_is_never_taken() -> None:
    of = limit(10, 1, [0.0])

    assert not is_taken(of, "kim", 11)
    assert state(of, "kim") == (10, 0)


def test_clients_without_number_take_no_memory_without_end() -> None:
    clock = [0.0]
    of = limit(10, 60, clock)
    of.take("kim", 10)

    for number in range(3 * CLIENTS_MAX):
        of.take(str(number))

    assert len(of._free_at) <= CLIENTS_MAX
    assert not is_taken(of, "kim"), "the client that has used most is the last to be forgotten"


@pytest.mark.parametrize(
    ("value", "workers", "policy"),
    [
        ("100/s", "1", '"user";q=100;w=1'),
        ("100/s", "4", '"user";q=25;w=1'),
        ("100/min", "3", '"user";q=34;w=60'),
        ("1/min", "64", '"user";q=1;w=60'),
    ],
)
def test_the_processes_share_the_limit(value: str, workers: str, policy: str) -> None:
    quota = Quota.of_process(Settings.read({"RATE_LIMIT": value, "API_WORKERS": workers}))

    assert quota
    assert quota.policy == policy


def test_a_client_that_sends_too_much_is_told_when_it_may_go_on(limited: Api) -> None:
    answers = [limited.place() for _ in range(5)]

    assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 2
    assert [answer.headers["RateLimit"] for answer in answers[:3]] == [
        '"user";r=2;t=20',
        '"user";r=1;t=40',
        '"user";r=0;t=60',
    ]
    refused = answers[3]
    assert refused.headers["RateLimit-Policy"] == '"user";q=3;w=60'
    assert refused.headers["RateLimit"].startswith('"user";r=0;t=')
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert refused.content_type == "application/problem+json"
    assert member(refused, "type") == REGISTERED
    assert member(refused, "violated-policies") == ["user"]
    assert len(limited.orders()) == 3


def test_another_client_does_not_notice(limited: Api) -> None:
    for _ in range(5):
        limited.place()

    other = limited.client.get(ORDERS, environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert other.status_code == 200
    assert other.headers["RateLimit"] == '"user";r=2;t=20'


def test_wrong_requests_and_unknown_addresses_count_too(limited: Api) -> None:
    limited.send(b"{")
    limited.get("/nothing")
    limited.get(f"{ORDERS}?limt=1")

    assert limited.place().status_code == 429
    assert_nothing_written(limited)


def test_probes_and_scrapers_are_never_refused(limited: Api) -> None:
    for _ in range(5):
        limited.place()

    for path in ("/livez", "/readyz", "/actuator/health", "/metrics", "/order-service/health_check"):
        answer = limited.get(path)

        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def test_without_a_limit_no_answer_speaks_of_one(api: Api) -> None:
    for answer in (api.place(), api.get(ORDERS), api.get("/nothing")):
        assert not {"RateLimit", "RateLimit-Policy"} & {*answer.headers.keys()}
    hooks = api.app.before_request_funcs[None]
    assert not [hook for hook in hooks if hook.__module__ == rate_limit.__name__]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_network_of_64_bits_is_one_client(limited: Api, address: str, name: str) -> None:
    with limited.app.test_request_context("/", environ_base={"REMOTE_ADDR": address}):
        assert rate_limit.client_name() == name


def test_more_readers_than_connections_are_told_that_the_service_is_overloaded(own_api: Api) -> None:
    pool = own_api.engine(READER).pool
    held = [pool.connect() for _ in range(50)]

    answer = own_api.get(ORDERS)

    assert_problem(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    for connection in held:
        connection.close()
    assert own_api.get(ORDERS).status_code == 200


def test_each_user_of_one_address_has_a_limit_of_their_own(databases: Databases) -> None:
    signed_in = {user: bearer(token(sub=user)) for user in ("kim", "ann")}
    with Api.on(databases, RATE_LIMIT="2/min", API_WORKERS="1", **WITH_SECRET) as api:
        answers = [
            api.client.get(f"/order-service/{user}/orders", headers=signed_in[user]).status_code
            for user in ("kim", "kim", "kim", "ann")
        ]
        anybody = api.get(ORDERS)
        others = api.client.get("/order-service/kim/orders", headers=signed_in["ann"]).status_code
        too_often = api.client.get("/order-service/kim/orders", headers=signed_in["ann"]).status_code

    assert answers == [200, 200, 429, 200]
    assert anybody.status_code == 401
    assert (others, too_often) == (403, 429)
