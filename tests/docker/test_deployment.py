"""What can be said of the deployment without Docker; `docker/try` says the rest."""

import re
import runpy
import subprocess
from itertools import product
from pathlib import Path

import pytest

from orders_service.commands.connectors.rest import PLACEHOLDER
from orders_service.processes import DATABASES, PROCESSES, DatabaseName
from orders_service.settings import FIELDS, Settings
from tests.certificates import Authority
from tests.docker.compose import COMPOSE, OBSERVERS, ROOT, SERVICES

DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
EXAMPLE = (ROOT / "config/production.env.example").read_text()
KNOWN = {name.upper() for name in FIELDS} | {
    f"{name.upper()}_FILE" for name, field in FIELDS.items() if field.metadata["secret"]
}

# Names that both sides of a topic agree on, and what only `run` needs.
# A CONSUMER_INSTANCE is one process's, and that file is shared by all.
LEFT_OUT = {"STATE_DIR", "CATALOG_TOPIC", "STOCK_TOPIC", "STOCK_GROUP", "STATUS_GROUP", "CONSUMER_INSTANCE"}


# The processes that use each database.
USERS = {name: {process.command for process in PROCESSES if name in process.databases} for name in DATABASES}

GATEWAYS = ["gateway", "gateway-2"]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder of new passwords."""
    folder = tmp_path / "secrets"
    subprocess.run([ROOT / "docker/make-secrets", folder], check=True)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_image_is_pinned_by_a_tag() -> None:
    images = re.findall(
        r"(?:image: |ARG PYTHON=)(?:\$\{STACK_\w+:-)?([\w./-]+:[\w.-]+|[\w./-]+)", COMPOSE + DOCKERFILE
    )

    assert len(images) >= 6
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_every_process_is_a_service() -> None:
    commands = {name: f"command: [{name}" for name in (process.command for process in PROCESSES)}

    assert commands.keys() <= SERVICES.keys()
    assert [name for name, command in commands.items() if command not in SERVICES[name]] == []


def test_every_port_is_open_to_this_machine_only_unless_told() -> None:
    ports = [port for found in re.findall(r"ports: \[(.+)\]", COMPOSE) for port in found.split(", ")]

    assert len(ports) == 2 * len(GATEWAYS) + len(OBSERVERS)
    assert all(re.match(r'"\$\{STACK_\w+:-127\.0\.0\.1:', port) for port in ports)


def test_what_runs_unless_told_otherwise_fits_2_gib() -> None:
    of_anchors = {"*kafka": r"x-kafka: &kafka\n", "*service": r"x-service: &service\n"}
    limits = {
        anchor: int(re.findall(start + r"(?:.*\n)*?  mem_limit: (\d+)m\n", COMPOSE)[0])
        for anchor, start in of_anchors.items()
    }

    total = 0
    for block in SERVICES.values():
        if "profiles:" in block:
            continue
        own = re.findall(r"^    mem_limit: (?:\$\{\w+:-)?(\d+)m\}?$", block, re.MULTILINE)
        total += int(own[0]) if own else limits[next(anchor for anchor in limits if anchor in block)]

    assert 1000 < total < 2048


def test_only_the_gateway_has_a_port_outside_unless_somebody_observes() -> None:
    with_port = [name for name, block in SERVICES.items() if "ports:" in block]

    assert OBSERVERS == ["prometheus", "alertmanager", "jaeger", "grafana"]
    assert with_port == [*GATEWAYS, *OBSERVERS]


def test_only_the_gateway_is_on_a_network_that_reaches_the_world() -> None:
    networks = COMPOSE.partition("\nnetworks:\n")[2].partition("\nvolumes:\n")[0]
    internal = set(re.findall(r"^  ([a-z]+): \{internal: true\}$", networks, re.MULTILINE))
    outward = set(re.findall(r"^  ([a-z]+): \{\}$", networks, re.MULTILINE))
    one_way = set(
        re.findall(r"^  ([a-z]+): \{driver_opts: .*enable_ip_masquerade: \"false\"", networks, re.MULTILINE)
    )
    named = {
        name: set(found.split(", "))
        for name, block in SERVICES.items()
        for found in re.findall(r"^    networks: \[(.+)\]$", block, re.MULTILINE)
    }

    assert internal == {"inside", "edge"}
    assert outward == {"outside"}
    assert one_way == {"pages"}
    assert len(re.findall(r"^  [a-z]+:", networks, re.MULTILINE)) == 4
    assert [name for name, found in named.items() if found & outward] == ["gateway"]
    assert [name for name, found in named.items() if found & one_way] == OBSERVERS
    assert re.findall(r"^  networks: \[(.+)\]$", COMPOSE, re.MULTILINE) == ["inside", "inside"]


@pytest.mark.parametrize("database", DATABASES)
def test_a_process_is_given_only_the_databases_that_it_uses(database: DatabaseName) -> None:
    url = f"{database.upper()}_DATABASE_URL_FILE: /run/secrets/{database}_database_url\n"
    anchor = f"*{database}-database,"

    given = {name for name, block in SERVICES.items() if url in block or anchor in block}

    assert given == USERS[database]
    assert url not in COMPOSE.partition("x-service: &service")[2].partition("\nx-")[0]


def test_connect_is_given_the_one_password_that_its_connector_uses() -> None:
    connectors = {"connect": "my-order-sink-connect", "cdc": "outbox-source"}

    assert 'secrets: ["${STACK_CONNECT_SECRET:-sink_password}"]' in SERVICES["connect"]
    for profile, connector in connectors.items():
        (secret,) = re.findall(
            r"^STACK_CONNECT_SECRET=(\w+)$", (ROOT / f"docker/{profile}.env").read_text(), re.MULTILINE
        )
        used = PLACEHOLDER.findall((ROOT / f"config/connectors/{connector}.json").read_text())
        assert [name.lower() for name in used if name.endswith("_PASSWORD")] == [secret]


def test_the_compose_file_runs_on_engines_older_than_25() -> None:
    assert "start_interval" not in COMPOSE
    assert not re.search(r"^version:", COMPOSE, re.MULTILINE)


def test_the_compose_file_gives_the_service_only_settings_that_it_has() -> None:
    block = COMPOSE.partition("environment: &settings\n")[2].partition("\n  secrets:")[0]
    names = re.findall(r"^ +([A-Z_]+):", block, re.MULTILINE)

    assert names
    assert set(names) <= KNOWN


def test_every_process_is_given_the_secrets_of_a_kafka_elsewhere() -> None:
    elsewhere = (ROOT / "docker/kafka-elsewhere.yaml").read_text()
    form = re.compile(r"^  ([\w-]+):(?: |\n    <<: )\*service$", re.MULTILINE)
    need_none = {
        "sink-connector",
        "outbox-connector",
        "migrate",
    }  # Their Connect knows the stack's own Kafka only.

    assert {name for name in SERVICES if "*service" in SERVICES[name]} - need_none == set(
        form.findall(elsewhere)
    )


def test_the_compose_file_fills_in_every_placeholder_of_its_connectors() -> None:
    applied = re.findall(r"command: \[connectors, apply, ([\w-]+)\]", COMPOSE)
    needed = {
        name
        for connector in applied
        for name in PLACEHOLDER.findall((ROOT / f"config/connectors/{connector}.json").read_text())
    }

    assert len(applied) == 2
    assert all(re.search(rf"^ +{name}: ", COMPOSE, re.MULTILINE) for name in needed)


@pytest.mark.parametrize("keys", ["AUTH_SECRET_FILE", "AUTH_JWKS_URL", "AUTH_KEYS_FILE"])
def test_the_example_for_production_holds_settings_that_can_be_used(secrets: Path, keys: str) -> None:
    for name in ("kafka_password", "auth_keys.json", "api_keys"):
        (secrets / name).write_text("kafka-pw")
    Authority(secrets, "kafka_ca").vouch_for("kafka_client")
    given = dict(
        line.lstrip("#").split("=", 1) for line in EXAMPLE.splitlines() if re.match(r"#?[A-Z_]+=", line)
    )

    assert set(given) <= KNOWN
    for other in {"AUTH_SECRET_FILE", "AUTH_JWKS_URL", "AUTH_KEYS_FILE"} - {keys}:
        del given[other]
    Settings.read({name: value.replace("/run/secrets", str(secrets)) for name, value in given.items()})


def test_the_example_for_production_leaves_out_only_what_a_deployment_may_well_leave() -> None:
    named = {name.removesuffix("_FILE") for name in re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)}
    all_of_them = {name.upper().removesuffix("_FILE") for name in FIELDS}

    assert all_of_them - named == LEFT_OUT


def test_passwords_are_made_once(secrets: Path) -> None:
    before = content(secrets)

    subprocess.run([ROOT / "docker/make-secrets", secrets], check=True)

    assert content(secrets) == before


def test_each_account_has_a_password_of_its_own(secrets: Path) -> None:
    made = {name: re.sub(r".*:([^@]+)@.*", r"\1", secret) for name, secret in content(secrets).items()}
    of_cluster = {name for name in made if name.endswith("_of_cluster")}

    assert len(of_cluster) == 4
    assert all(made[name] == made[name.removesuffix("_of_cluster")] for name in of_cluster)
    assert len(set(made.values())) == len(made) - len(of_cluster) - 2, "all migrations are one account's"


def test_the_processes_can_read_the_secrets_and_other_people_cannot(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o444}


def test_the_urls_of_the_databases_can_be_used(secrets: Path) -> None:
    for account, host in product(("", "migrations_"), ("", "_of_cluster")):
        named = {
            f"{database.upper()}_DATABASE_URL_FILE": str(secrets / f"{account}{database}_database_url{host}")
            for database in ("orders", "catalog")
        }

        Settings.read(named)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["/app/bin/python", "/app/bin/orders-service", "api", ""], "api"),
        (["/app/bin/python", "/app/bin/orders-service", "orders-relay", ""], "orders-relay"),
        (["/app/bin/python", "/app/bin/orders-service"], None),
        (["sleep", "60", ""], None),
    ],
)
def test_the_health_check_knows_which_process_it_asks(command: list[str], word: str | None) -> None:
    healthy = runpy.run_path(str(ROOT / "docker/healthy.py"))

    assert healthy["_word"](command) == word


@pytest.mark.parametrize(
    "unwanted", ["lab", "tests", ".venv", "docker/secrets", "config/production.env", ".git"]
)
def test_nothing_but_the_service_goes_into_the_image(unwanted: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.lstrip("!").rstrip("/") for line in ignore if line.startswith("!")]

    assert "*" in ignore
    assert unwanted not in let_in


def test_kafka_remembers_a_group_for_longer_than_the_outbox_keeps_anything() -> None:
    (minutes,) = re.findall(r"KAFKA_OFFSETS_RETENTION_MINUTES: (\d+)", COMPOSE)

    assert int(minutes) > Settings.outbox_keep_days * 24 * 60
