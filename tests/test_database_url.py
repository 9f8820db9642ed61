"""Database URLs with one host mean what SQLAlchemy says; with several, each has its own port."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import URL, make_url

from orders_service.database_url import Host, InvalidHosts, parse

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z]{1,4})?", fullmatch=True)
addresses = st.one_of(names, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
ports = st.one_of(st.none(), st.integers(1, 65535))
hosts = st.lists(st.tuples(addresses, ports), min_size=2, max_size=5)
secrets = st.text(min_size=1, max_size=12).map(lambda text: text.encode("utf-8", "replace").decode())


def written(name: str, port: int | None) -> str:
    shown = f"[{name}]" if ":" in name else name
    return shown if port is None else f"{shown}:{port}"


def url_of(texts: str, *, password: str = "pw", rest: str = "orders?charset=utf8mb4") -> str:
    empty = URL.create("mariadb+pymysql", "u@x", password, host="HOST").render_as_string(hide_password=False)
    return f"{empty.replace('HOST', texts)}/{rest}"


@given(hosts, secrets)
@example([("::1", None), ("::1", 3307)], "p,@w/:?#%")
def test_each_host_of_a_list_has_its_own_port(found: list[tuple[str, int | None]], password: str) -> None:
    expected = tuple(Host(name, port or 3306) for name, port in found)
    url = url_of(",".join(written(*one) for one in found), password=password)

    if len(set(expected)) < len(expected):
        with pytest.raises(InvalidHosts, match="once"):
            parse(url)
        return
    parsed = parse(url)

    assert parsed.hosts == expected
    assert parsed.first.host == expected[0].name
    assert (parsed.first.username, parsed.first.password) == ("u@x", password)
    assert (parsed.first.database, dict(parsed.first.query)) == ("orders", {"charset": "utf8mb4"})
    assert parse(repr(parsed)).hosts == expected
    assert make_url(url_of("h", password=password)).password == password
    assert parse(repr(parsed)).first.password == "***"


@given(addresses, ports, secrets)
def test_one_host_means_what_sqlalchemy_says(name: str, port: int | None, password: str) -> None:
    url = url_of(written(name, port), password=password)

    parsed = parse(url)

    assert parsed.first == make_url(url)
    assert parsed.hosts == (Host(name, port or 3306),)
    assert not parsed.has_several_hosts
    assert repr(parsed) == repr(make_url(url))


@pytest.mark.parametrize("url", ["sqlite:////srv/a,b/orders.db", "sqlite:///a,b@c.db", "sqlite:///:memory:"])
def test_the_path_of_a_file_is_no_list(url: str) -> None:
    assert parse(url).first == make_url(url)
    assert parse(url).hosts == ()


MALFORMED = {
    "db1,": "host 2 is empty",
    ",db2": "host 1 is empty",
    "db1,,db3": "host 2 is empty",
    "db1, db2": "host 2 is malformed",
    "db1,db2:": "host 2 is malformed",
    "db1:x,db2": "host 1 is malformed",
    "db1,::1": "host 2 is malformed",
    "db1,[::1": "host 2 is malformed",
    "db1,db2:0": "host 2 is not",
    "db1,db2:65536": "host 2 is not",
    "db1,db2,db1:3306": "host 3 is there before",
    "s3cret@db1,db2": "%40",
    "db1,s3cret@db2": "%40",
}


@pytest.mark.parametrize(("texts", "reason"), MALFORMED.items(), ids=MALFORMED)
def test_a_malformed_list_is_refused_without_quoting_it(texts: str, reason: str) -> None:
    with pytest.raises(InvalidHosts) as caught:
        parse(f"mariadb+pymysql://kim:pass@{texts}/orders")

    assert reason in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("s3cret", "pass@"))
