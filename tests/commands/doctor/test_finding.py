"""A check that hangs or has a fault is told as that, and the next is run_checks."""

import time

import pytest
from sqlalchemy import text

from orders_service.commands.doctor.finding import Check, Finding, Level, fine, run_checks
from rig.databases import Databases
from tests.commands.doctor.kit import on_real_servers

pytestmark = pytest.mark.usefixtures("own_port")


def test_a_check_that_hangs_is_given_up_and_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_service.commands.doctor.finding.SECONDS", 0.1)

    def hang() -> Finding:
        time.sleep(5)
        return fine("too late")

    never = Check("never", hang)

    found = list(run_checks([never, Check("next", lambda: fine("well"))]))

    assert [finding.level for _, finding in found] == [Level.AWAY, Level.FINE]
    assert found[0][1].seen.startswith("no answer within ")


def test_a_fault_of_a_check_is_no_server_that_is_away() -> None:
    faulty = Check("faulty", lambda: fine(str(int("many"))))

    found = list(run_checks([faulty, Check("next", lambda: fine("well"))]))

    assert [finding.level for _, finding in found] == [Level.WRONG, Level.FINE]
    assert found[0][1].seen == "ValueError: invalid literal for int() with base 10: 'many'"


@on_real_servers
def test_what_the_database_takes_too_long_for_is_no_server_that_is_away(databases: Databases) -> None:
    def ask() -> Finding:
        with databases.catalog.connect() as connection:
            connection.execute(text("SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(5)"))
        return fine("told")

    ((_, found),) = run_checks([Check("slow", ask)])

    assert found.level == Level.WARNING
    assert found.seen.startswith("the check took too long: ")
