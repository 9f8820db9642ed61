"""What can be said of the profile `observability` without Docker; `docker/try` says the rest."""

import re

from tests.docker.compose import COMPOSE, OBSERVERS, ROOT, SERVICES


def test_what_observes_is_hardened_and_takes_640_mib() -> None:
    blocks = {name: SERVICES[name] for name in OBSERVERS}

    users = {
        name: re.findall(r'^    user: "([1-9]\d*):', block, re.MULTILINE) for name, block in blocks.items()
    }
    limits = [re.findall(r"^    mem_limit: (\d+)m$", block, re.MULTILINE) for block in blocks.values()]

    assert all("<<: *hardened\n" in block and "pids_limit: " in block for block in blocks.values())
    assert all(users.values()), "a number, so that it is not root even if the image would start as root"
    assert sum(int(limit) for (limit,) in limits) == 640
    assert not any("secrets:" in block or "database_url" in block for block in blocks.values())


def test_what_observes_gets_files_that_exist_and_cannot_change_them() -> None:
    mounts = [
        found.split(":")
        for name in OBSERVERS
        for found in re.findall(r"(\./observability/[^\"\s]+)", SERVICES[name])
    ]

    assert len(mounts) >= 7
    assert [
        source for source, _, mode in mounts if mode != "ro" or not (ROOT / "docker" / source).exists()
    ] == []


def test_the_profile_for_observers_gives_the_processes_their_metrics_port() -> None:
    settings = COMPOSE.partition("environment: &settings\n")[2].partition("  networks:")[0]

    assert "METRICS_HOST: 0.0.0.0\n" in settings
    assert "METRICS_PORT: 9100\n" in settings
    assert "COMPOSE_PROFILES=observability\n" in (ROOT / "docker/observability.env").read_text()


def test_grafana_shows_everybody_everything_and_lets_nobody_in() -> None:
    assert "GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer\n" in SERVICES["grafana"]
    assert 'GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true"\n' in SERVICES["grafana"]
    assert 'GF_AUTH_DISABLE_LOGIN_FORM: "true"\n' in SERVICES["grafana"]
