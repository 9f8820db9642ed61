"""The judge of the alerts during a soak: what explains an alert, and what is missed."""

import pytest

from rig.waiting import await_true
from tests.faults import soak_alerts
from tests.faults.soak_alerts import CAUSES, Alerts
from tests.faults.soak_cluster import CLUSTER_FAULTS
from tests.faults.soak_faults import FAULTS
from tests.observability.files import alerts as rules


class Firing:
    """Alerts that fire, in place of a Prometheus that was told to evaluate them."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.asked = 0

    def firing(self) -> set[str]:
        self.asked += 1
        return set(self.names)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Firing:
    monkeypatch.setattr(soak_alerts, "EVERY_SECONDS", 0.001)
    return Firing()


def fire(source: Firing, *names: str) -> None:
    """Let alerts fire, and wait until this was seen."""
    source.names = set(names)
    before = source.asked
    await_true(lambda: source.asked > before + 2, "it looks again")


def test_an_alert_is_explained_by_its_fault_and_counted_once_while_it_fires(source: Firing) -> None:
    alerts = Alerts(source)

    with alerts.watching():
        with alerts.during("mariadb_killed"):
            fire(source, "OrdersServerErrors")
        fire(source, "OrdersServerErrors")
        fire(source)
        fire(source, "OrdersServerErrors")

    assert alerts.problems() == []
    assert alerts.report() == [
        "OrdersServerErrors fired 2 × after mariadb_killed: at the soonest 0 s later",
    ]


@pytest.mark.parametrize("alert", ["OrdersServerErrors", "OrdersConsumerBehind"])
def test_an_alert_without_its_fault_is_a_problem(source: Firing, alert: str) -> None:
    alerts = Alerts(source)

    with alerts.watching(), alerts.during("kafka_killed"):
        fire(source, alert)

    (problem,) = alerts.problems()
    assert problem.startswith(f"{alert} fired without a cause (before it: kafka_killed 0 s ago")
    assert alerts.report() == ["no alert fired"]


def test_an_alert_long_after_its_fault_is_a_problem(source: Firing) -> None:
    alerts = Alerts(source)
    with alerts.during("killed"):
        pass
    long_ago = soak_alerts.CAUSES["OrdersRestarting"].minutes * 60 + 1
    alerts._happened[:] = [(at - long_ago, fault) for at, fault in alerts._happened]

    with alerts.watching():
        fire(source, "OrdersRestarting")

    assert len(alerts.problems()) == 1


def test_poison_that_is_not_reported_is_a_problem(source: Firing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_alerts, "DEAD_LETTER_SECONDS", -1.0)
    alerts = Alerts(source)

    with alerts.watching(), alerts.during("poisoned"):
        fire(source)

    assert alerts.problems() == ["OrdersDeadLetter did not fire in 0 s"]


def test_a_prometheus_that_never_answers_is_a_problem(source: Firing) -> None:
    assert Alerts(source).problems() == ["Prometheus never answered which alerts fire"]


def test_causes_are_named_as_the_faults_and_the_rules_are() -> None:
    faults = {fault.__name__ for fault in (*FAULTS, *CLUSTER_FAULTS)}

    assert CAUSES.keys() <= {rule["alert"] for rule in rules()}
    assert {name for causes in CAUSES.values() for name in causes.faults} <= faults
