"""The environment: misspelt names, settings that a process does not use, secrets that are not printed."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orders_service import environment, resources
from orders_service.api.app import create_app
from orders_service.broker_client import broker, topic_spec
from orders_service.commands.migrate import migrate
from orders_service.processes import WORKERS
from orders_service.settings import Settings, SettingsError, names, secrets
from orders_service.workers.build import build
from rig import processes

SERVICE_LINK = "tcp://10.96.31.7:8000"


def ended(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a state folder of its own."""
    return processes.ended(*words, **{"STATE_DIR": str(folder / "state")} | variables)


def problems(process: str = "", **variables: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        Settings.read(variables, process=process)
    return refusal.value.problems


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAKFA_USERNAME", "KAFKA_USERNAME"),
        ("KAFKA_USER", "KAFKA_USERNAME"),
        ("API_PRT", "API_PORT"),
        ("AIP_PORT", "API_PORT"),
        ("API_PORTS", "API_PORT"),
        ("api_port", "API_PORT"),
        ("ORDERS_DB_URL", "ORDERS_DATABASE_URL"),
        ("ORDER_DATABASE_URL_FILE", "ORDERS_DATABASE_URL_FILE"),
        ("CATALOG_DATABASE", "CATALOG_DATABASE_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("STATEDIR", "STATE_DIR"),
        ("BROKR", "BROKER"),
        ("TOPIC_REPLICAS", "TOPIC_REPLICATION"),
        ("STOCK_GROUP_ID", "STOCK_GROUP"),
        ("CONNECT_URI", "CONNECT_URL"),
        ("OUTBOX_KEEP_DAY", "OUTBOX_KEEP_DAYS"),
        ("OTEL_EXPORTER_OTLP_ENDPOIT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_SERVICE", "OTEL_SERVICE_NAME"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest(variable: str, setting: str) -> None:
    found = environment.misspelt({variable: "x"}, names(), secrets())

    assert found == [(variable, f"did you mean {setting}?")]


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_EXPORTER",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "KAFKA_HOME",
        "KAFKA_OPTS",
        "KAFKA_HEAP_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_JMX_OPTS",
        "KAFKA_LOG_DIRS",
        "KAFKA_BROKER_ID",
        "KAFKA_NODE_ID",
        "KAFKA_LISTENERS",
        "KAFKA_ADVERTISED_LISTENERS",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
        "KAFKA_CLUSTER_ID",
        "KAFKA_VERSION",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_PROCESS_ROLES",
        "KAFKA_MIN_INSYNC_REPLICAS",
        "API_SERVICE_HOST",
        "API_SERVICE_PORT",
        "API_PORT_8000_TCP",
        "API_PORT_8000_TCP_PROTO",
        "API_NAME",
        "API_KEY",
        "API_TOKEN",
        "API_URL",
        "API_VERSION",
        "LOG_DIR",
        "LOG_FORMAT",
        "LOGNAME",
        "STATE_DIRECTORY",
        "CONNECT_BOOTSTRAP_SERVERS",
        "CONNECT_GROUP_ID",
        "CONNECT_PLUGIN_PATH",
        "CONNECT_REST_PORT",
        "CONNECT_PORT",
        "BROKER_PORT",
        "DATABASE_URL",
        "TOPIC",
        "STOCK",
        "EVENTS",
        "ORDERS_PASSWORD",
        "CATALOG_PASSWORD",
        "ORDERS_SERVICE_PORT_HTTP",
        "HOSTNAME",
        "PATH",
        "HOME",
        "LANG",
        "TERM",
        "PWD",
        "USER",
    ],
)
def test_what_only_looks_a_little_like_a_setting_is_left_alone(variable: str) -> None:
    assert environment.misspelt({variable: "x"}, names(), secrets()) == []


def test_the_address_of_a_service_is_left_alone() -> None:
    assert environment.misspelt({"AIP_PORT": SERVICE_LINK}, names(), secrets()) == []


def test_a_file_for_what_is_no_secret_is_named() -> None:
    found = environment.misspelt({"API_PORT_FILE": "/x"}, names(), secrets())

    assert found == [("API_PORT_FILE", "only secrets can be read from a file; set API_PORT")]


@pytest.mark.parametrize("words", [["config", "show"], ["topics", "list"], ["migrate"], ["doctor"]])
def test_every_process_names_a_misspelt_variable(tmp_path: Path, words: list[str]) -> None:
    done = ended(tmp_path, *words, API_PRT="9", KAFKA_BOOTSTRAP_SERVER="x\x1b[2J")

    said = done.stdout if words == ["doctor"] else done.stderr
    assert "! " in said
    assert "API_PRT is not a setting of this service and is ignored" in said
    assert "did you mean API_PORT?" in said
    assert "did you mean KAFKA_BOOTSTRAP_SERVERS?" in said


def test_an_address_that_kubernetes_has_set_is_told_with_its_cause(tmp_path: Path) -> None:
    done = ended(tmp_path, "api", API_PORT=SERVICE_LINK)

    assert done.returncode == 2
    assert f"it is '{SERVICE_LINK}'" in done.stderr
    assert "Kubernetes sets API_PORT for a Service named api" in done.stderr
    assert "enableServiceLinks: false" in done.stderr


class Traced:
    """Settings that note which of them are used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        derived = getattr(type(self._settings), name, None)
        if isinstance(derived, property):
            assert derived.fget is not None
            return derived.fget(self)
        self.used.add(name.upper())
        return getattr(self._settings, name)


BUILDS: dict[str, Callable[[Any], object]] = {
    "api": lambda settings: create_app(settings),
    **{process.command: partial(build, process) for process in WORKERS},
    "migrate": migrate,
    "topics": lambda settings: (
        broker(settings, create=True),
        topic_spec(settings),
        resources.topics(settings),
    ),
}


@pytest.mark.parametrize("process", BUILDS)
@pytest.mark.parametrize("via", ["relay", "cdc"])
def test_the_table_names_all_that_a_process_uses(process: str, via: str, tmp_path: Path) -> None:
    variables = {"STATE_DIR": str(tmp_path), "EVENTS_VIA": via}
    migrate(Settings.read(variables))
    broker(Settings.read(variables), create=True)
    traced = Traced(Settings.read(variables))

    built = BUILDS[process](traced)
    if hasattr(built, "close"):
        built.close()

    assert traced.used
    assert traced.used <= environment.used(process, names(), kafka=True)


def test_the_tables_settings_exist() -> None:
    for uses in environment.USES.values():
        assert all(use in names() or any(name.startswith(use) for name in names()) for use in uses)


@pytest.mark.parametrize("process", environment.USES)
def test_a_setting_that_a_process_does_not_use_stops_it_never(process: str) -> None:
    bad = {"ORDERS_DATABASE_URL": "x", "CATALOG_DATABASE_URL": "x"}
    wrong = dict.fromkeys(names(), "\x00 wrong") | bad | {"BROKER": "kafka"}
    used = environment.used(process, names(), kafka=True)

    Settings.read({name: value for name, value in wrong.items() if name not in used}, process=process)


def test_a_service_link_stops_no_worker(tmp_path: Path) -> None:
    done = ended(tmp_path, "topics", "create", API_PORT=SERVICE_LINK, CONNECT_URL="nonsense")

    assert done.returncode == 0, done.stderr


def test_without_kafka_its_settings_stop_nobody() -> None:
    wrong = {"KAFKA_BOOTSTRAP_SERVERS": "nonsense", "KAFKA_CA_FILE": "/nowhere"}

    Settings.read(wrong, process="api")

    assert len(problems("api", BROKER="kafka", **wrong)) == 2


@pytest.mark.parametrize("value", ["9000\n", " 9000", "\t9000\r\n"])
def test_blanks_around_a_value_do_not_count(value: str) -> None:
    assert Settings.read({"API_PORT": value}).api_port == 9000


def test_a_blank_in_a_password_counts_and_a_lines_end_does_not(tmp_path: Path) -> None:
    user = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_USERNAME": "u"}
    file = tmp_path / "password"
    file.write_text(" p \n")

    assert Settings.read(user | {"KAFKA_PASSWORD": " p \n"}).kafka_password == " p "
    assert Settings.read(user | {"KAFKA_PASSWORD_FILE": str(file)}).kafka_password == " p "


@pytest.mark.parametrize("name", ["API_PORT", "STATE_DIR", "ORDERS_DATABASE_URL", "KAFKA_USERNAME"])
def test_only_blanks_are_refused(name: str) -> None:
    assert problems(**{name: " \n"}) == [f"{name} must have a value, not only blanks"]


@pytest.mark.parametrize(
    "variables",
    [
        {"CONNECT_URL": "http://admin:s3cret@host"},
        {"CONNECT_URL": "http://admin:s3 c@s3cret@host"},
        {"CONNECT_URL": "http://host?password=s3cret"},
        {"KAFKA_BOOTSTRAP_SERVERS": "kafka://u:s3cret@h:1"},
        {"KAFKA_BOOTSTRAP_SERVERS": "u:s3cret@h:1"},
        {"API_HOST": "http://u:s3cret@a..b"},
        {"API_PORT": "http://u:s3cret@h"},
        {"CATALOG_TOPIC": "http://u:s3cret@h"},
        {"ORDERS_DATABASE_URL": "mysql://u:s3cret@h/d"},
        {"ORDERS_DATABASE_URL": "mariadb+pymysql://u:s3cret"},
        {"ORDERS_DATABASE_URL": "mariadb+pymysql://u:p@s3cret@h/d"},
        {"ORDERS_DATABASE_URL": "mariadb+pymysql://u@h/d?password=s3cret"},
        {"ORDERS_DATABASE_URL_FILE": "mariadb+pymysql://u:s3cret@h/d"},
        {"KAFKA_PASSWORD_FILE": "s3cret"},
        {"KAFKA_CA_FILE": "https://u:s3cret@h/ca.pem"},
    ],
    ids=str,
)
def test_no_password_is_in_a_message(variables: dict[str, str], tmp_path: Path) -> None:
    told = problems(**variables)
    done = ended(tmp_path, "config", "show", **variables)

    assert "s3cret" not in "".join(told)
    assert done.returncode == 2
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["config", "show"], ["doctor"], ["doctor", "--json"], ["migrate"]])
def test_no_password_is_printed_of_settings_in_force(words: list[str], tmp_path: Path) -> None:
    urls = {
        f"{name}_DATABASE_URL": f"mariadb+pymysql://some1:s3 %40cret@127.0.0.1:1/{name}"
        for name in ("ORDERS", "CATALOG")
    }

    done = ended(tmp_path, *words, **urls)

    assert "//***@127.0.0.1:1" in done.stdout + done.stderr
    for part in ("some1:", "s3 ", "cret@", "%40"):
        assert part not in done.stdout + done.stderr
