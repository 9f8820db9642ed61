"""The environment is read whole, and what is wrong is told at once."""

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from orders_service.cli import main
from orders_service.settings import FIELDS, Settings, SettingsError
from rig import waiting
from rig.processes import service
from tests.settings_kit import CATALOG_URL, ORDERS_URL, problems

WRONG = {
    "ORDERS_DATABASE_URL": [
        "nonsense",
        "postgresql://u:p@h/d",
        "mysql://u:p@h/d",
        "mariadb+pymysql://u:p@h",
        "mariadb+pymysql://u:p@h/",
        "mariadb+pymysql://u:p@h:0x/d",
        "mariadb+pymysql://u:p@h:70000/d",
        "mariadb+pymysql://u:p@a..b/d",
        "mariadb+pymysql://u@h/d?password=p",
        "mariadb+pymysql://u:p@ss@h/d",
        "mariadb+pymysql://u:p@ss/w@h/d",
        "mariadb+pymysql://u:p@ss/w@h,i/d",
        "mariadb+pymysql://u@h/d?passwd=p",
        "mariadb+pymysql://u:p@h/d?nonsense=1",
        "mariadb+pymysql://u:p@h,/d",
        "mariadb+pymysql://u:p@h, i/d",
        "mariadb+pymysql://u:p@h:3306,i:70000/d",
        "mariadb+pymysql://u:p@h,h:3306/d",
        "mariadb+pymysql://u:p@h,a..b/d",
        "mariadb+pymysql://u:p@ss@h,i/d",
        "mariadb+pymysql://u:p@h,i/d?unix_socket=/run/mariadb.sock",
        "sqlite:///orders.db?charset=utf8mb4",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        " ",
    ],
    "BROKER": ["rabbitmq", "Kafka", "kafka x", " "],
    "KAFKA_BOOTSTRAP_SERVERS": [
        "h",
        "h:",
        ":9092",
        "h:9092,",
        "h:70000",
        "h:0",
        "h :1",
        "a..b:1",
        "kafka://h:1",
    ],
    "CONNECT_URL": [
        "http://u:s3cret@h",
        "http://u:p/w@h/",
        "http://h:99999",
        "http://u:s3cret",
        "http://",
        "ftp://h",
        "http://h?password=s3cret",
    ],
    "KAFKA_SECURITY_PROTOCOL": ["TLS", "ssl"],
    "KAFKA_SASL_MECHANISM": ["SCRAM", "plain"],
    "KAFKA_CA_FILE": ["/nowhere/ca.pem", "/", "/dev/null", __file__],
    "KAFKA_CERTIFICATE_FILE": ["/nowhere/ca.pem", __file__],
    "KAFKA_KEY_FILE": ["/nowhere/key.pem", "/"],
    "API_HOST": ["a..b", "x" * 64],
    "API_PORT": ["0", "65536", "-1", "8000.5", "http", "8e3", "9" * 5000],
    "API_WORKERS": ["0", "65", "two"],
    "API_THREADS": ["0", "257", "1.0"],
    "LOG_LEVEL": ["INFO", "trace"],
    "LOG_FORMAT": ["JSON", "text"],
    "LOG_REQUESTS": ["on", "ALL"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": [
        "jaeger:4318",
        "grpc://jaeger:4317",
        "http://u:s3cret@jaeger:4318",
        "http://jaeger:4318/v1/traces",
    ],
    "OTEL_TRACES_SAMPLER_ARG": ["-0.1", "1.1", "nan", "inf", "1%", "always_on"],
    "CATALOG_CHECK_PRICE": ["maybe", "2", "enabled"],
    "EVENTS_VIA": ["debezium", "Relay"],
    "OUTBOX_KEEP_DAYS": ["0", "3651"],
    "RELAY_LEASE_SECONDS": ["0", "301", "0.5"],
    "CATALOG_TOPIC": ["a b", ".", "..", "x" * 250, "a/b", "tópic", "a\nb"],
    "AUTH_MODE": ["basic", "JWT"],
    "AUTH_SECRET_FORM": ["hex"],
    "AUTH_JWKS_URL": ["file:///keys", "https://u:p@h/", "/keys.json"],
    "AUTH_KEYS_FILE": ["/nowhere/keys.json", "/"],
    "AUTH_DEFAULT_SCOPES": ["orders:everything", "orders:read,orders:write"],
    "AUTH_LEEWAY_SECONDS": ["-1", "301"],
    "API_KEYS_FILE": ["/nowhere/keys", "/"],
    "CORS_ORIGINS": [
        *("*", "null", "shop.example", "https://*.shop.example", "https://shop.example/"),
        *("https://SHOP.example", "https://shop.example:443", "http://a, http://b", "ftp://a", "https://u@a"),
    ],
    "UI": ["yes", "On"],
    "UI_HOSTS": ["orders.example:8000", "https://orders.example", "*", "a,b", "[::1", "a..b", "a/b"],
    "TOPIC_PARTITIONS": ["0", "1001"],
    "TOPIC_MAX_MESSAGE_BYTES": ["1023", "1MB"],
}
CONTRADICTIONS = {
    "CATALOG_DATABASE_URL is the same database as ORDERS_DATABASE_URL": {
        "ORDERS_DATABASE_URL": "sqlite:////tmp/x.db",
        "CATALOG_DATABASE_URL": "sqlite:////tmp/../tmp/x.db",
    },
    "CATALOG_DATABASE_URL is the same database as ORDERS_DATABASE_URL; each": {
        "ORDERS_DATABASE_URL": "mariadb+pymysql://a:1@h/d",
        "CATALOG_DATABASE_URL": "mariadb+pymysql://b:2@h:3306/d?charset=utf8mb4",
    },
    "CATALOG_DATABASE_URL is the same database as ORDERS_DATABASE_URL; each needs": {
        "ORDERS_DATABASE_URL": "mariadb+pymysql://a:1@h,i:3307/d",
        "CATALOG_DATABASE_URL": "mariadb+pymysql://b:2@j,i:3307/d",
    },
    "STOCK_TOPIC is the same topic as CATALOG_TOPIC": {"STOCK_TOPIC": "t", "CATALOG_TOPIC": "t"},
    "ORDERS_SINK_TOPIC is the same topic as CATALOG_TOPIC": {"ORDERS_SINK_TOPIC": "t", "CATALOG_TOPIC": "t"},
    "ORDERS_SINK_TOPIC is the same topic as STOCK_TOPIC": {"ORDERS_SINK_TOPIC": "t", "STOCK_TOPIC": "t"},
    "STATUS_GROUP is the same group as STOCK_GROUP": {"STATUS_GROUP": "g", "STOCK_GROUP": "g"},
    "OUTBOX_KEEP_DAYS is not longer than TOPIC_RETENTION_DAYS": {"OUTBOX_KEEP_DAYS": "7"},
    "TOPIC_MIN_INSYNC_REPLICAS is larger than TOPIC_REPLICATION": {"TOPIC_MIN_INSYNC_REPLICAS": "2"},
}
variables = st.sampled_from(
    [*map(str.upper, FIELDS), "ORDERS_DATABASE_URL_FILE", "CATALOG_DATABASE_URL_FILE"]
)
urls = st.builds(
    "{}://{}:{}@{}:{}/{}?{}".format,
    st.sampled_from(["mariadb+pymysql", "sqlite", "sqlite+pysqlite", ""]),
    *[st.text(max_size=5)] * 3,
    st.integers(-1, 70_000) | st.text(max_size=3),
    *[st.text(max_size=5)] * 2,
)
texts = (
    st.text()
    | st.integers().map(str)
    | urls
    | st.sampled_from([ORDERS_URL, "t", "on", "[::1]:1", "1_0", "٣"])
)


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.read({})

    assert settings.orders_database_url == "sqlite:///var/run/orders.db"
    assert settings.catalog_database_url == "sqlite:///var/run/catalog.db"
    assert (settings.broker, settings.api_host, settings.api_port) == ("embedded", "127.0.0.1", 8000)
    assert (settings.catalog_topic, settings.stock_topic) == ("example-catalog-topic", "example-stock-topic")
    assert (settings.stock_group, settings.status_group) == ("catalog-stock", "orders-status")
    assert settings.orders_sink_topic == ""
    assert settings.catalog_check_price is False


def test_everything_can_be_set() -> None:
    environment = {name: value for name, value in Settings.read({}).show().items() if value}
    changed = environment | {"API_PORT": "1", "CATALOG_CHECK_PRICE": "on", "ORDERS_SINK_TOPIC": "orders"}

    settings = Settings.read(changed)

    assert {name: value for name, value in settings.show().items() if value} == changed


def test_what_is_set_to_nothing_is_not_set() -> None:
    empty = {name.upper(): "" for name in FIELDS} | {"ORDERS_DATABASE_URL_FILE": ""}

    assert Settings.read(empty) == Settings.read({})


def test_what_is_not_ours_is_ignored() -> None:
    assert Settings.read({"PATH": "/bin", "API_PORTS": "x", "api_port": "1"}) == Settings.read({})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings.read({}).api_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "state_dir", ["/srv/run", "a b", "what?", "100%", "%41", "#1", "김", "a@b:c", "?x=1&y"]
)
def test_the_embedded_databases_lie_in_the_state_folder(state_dir: str) -> None:
    settings = Settings.read({"STATE_DIR": state_dir})

    assert make_url(settings.orders_database_url).database == f"{state_dir}/orders.db"
    assert make_url(settings.catalog_database_url).database == f"{state_dir}/catalog.db"


@pytest.mark.parametrize(("on", "off"), [("on", "off"), ("1", "0"), ("true", "false"), ("yes", "no")])
def test_a_switch_has_many_words(on: str, off: str) -> None:
    assert Settings.read({"CATALOG_CHECK_PRICE": on}).catalog_check_price
    assert not Settings.read({"CATALOG_CHECK_PRICE": off}).catalog_check_price


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_setting_that_is_wrong_is_named(name: str, value: str) -> None:
    (problem,) = problems({name: value})

    assert problem.startswith(f"{name} must ")


def test_every_problem_is_told_at_once_in_order() -> None:
    told = problems({name: values[0] for name, values in WRONG.items()})

    assert [problem.split()[0] for problem in told] == sorted(WRONG)


def test_a_wrong_value_is_told_unless_it_is_secret() -> None:
    port, url = problems({"API_PORT": "http", "ORDERS_DATABASE_URL": "postgresql://u:s3cr3t@h/d"})

    assert "'http'" in port
    assert "s3cr3t" not in url


@pytest.mark.parametrize(("problem", "environment"), CONTRADICTIONS.items(), ids=CONTRADICTIONS)
def test_a_contradiction_is_told_once(problem: str, environment: dict[str, str]) -> None:
    (told,) = problems(environment)

    assert told.startswith(problem)


def test_of_a_setting_that_is_wrong_no_contradiction_is_told() -> None:
    told = problems({"OUTBOX_KEEP_DAYS": "0", "STOCK_TOPIC": "t", "CATALOG_TOPIC": "t"})

    assert [problem.split()[0] for problem in told] == ["OUTBOX_KEEP_DAYS", "STOCK_TOPIC"]


def test_two_servers_or_two_names_are_two_databases() -> None:
    for other in (ORDERS_URL.replace("3306", "3307"), CATALOG_URL, ORDERS_URL.replace("127.0.0.1", "db")):
        Settings.read({"ORDERS_DATABASE_URL": ORDERS_URL, "CATALOG_DATABASE_URL": other})


@pytest.mark.parametrize("word", ["api", "run", "first-order", "config show"])
def test_settings_that_cannot_be_used_end_a_word_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    monkeypatch.setenv("API_PORT", "http")
    monkeypatch.setenv("BROKER", "rabbitmq")
    monkeypatch.setattr(sys, "argv", ["orders-service", *word.split()])

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 2
    assert capsys.readouterr().err == (
        "The settings are invalid:\n"
        "  API_PORT must be a whole number from 1 to 65535 (it is 'http')\n"
        "  BROKER must be embedded or kafka (it is 'rabbitmq')\n"
    )


def test_a_relay_beside_debezium_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENTS_VIA", "cdc")
    monkeypatch.setattr(sys, "argv", ["orders-service", "orders-relay"])

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 2
    assert "EVENTS_VIA" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_refused_and_told_readably() -> None:
    done = subprocess.run(
        service("config", "show"),
        env={b"API_HOST": b"\xff", b"STATE_DIR": b"\xed\xa0\x80"},
        capture_output=True,
        text=True,
        timeout=waiting.seconds(30),
    )

    assert done.returncode == 2
    assert r"API_HOST=\udcff" in done.stdout
    assert [line.split()[0] for line in done.stderr.splitlines()[1:]] == ["API_HOST", "STATE_DIR"]


@given(st.dictionaries(variables, texts, max_size=6))
@example({"ORDERS_DATABASE_URL": "mariadb+pymysql://u:p@[::1]:3306/d"})
@example({"ORDERS_DATABASE_URL": "mariadb+pymysql://u:p@h/d?charset=a&charset=b"})
@example({"STATE_DIR": "\0"})
def test_any_environment_is_read_or_refused(environment: dict[str, str]) -> None:
    try:
        settings = Settings.read(environment)
    except SettingsError as error:
        assert error.problems  # noqa: PT017
        return

    assert all(isinstance(value, str) for value in settings.show().values())


@given(
    st.text(min_size=1).filter(
        lambda text: "/" not in text and text.strip() not in (".", "..") and "\0" not in text
    )
)
def test_any_state_folder_is_where_the_databases_lie(name: str) -> None:
    try:
        settings = Settings.read({"STATE_DIR": name})
    except SettingsError:
        return

    assert make_url(settings.orders_database_url).database == f"{name.strip()}/orders.db"
