"""What an operator changes over HTTP: each action is done once, recorded, and refused if it is wrong."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from orders_service.catalog.product import Product, Supply
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Record
from orders_service.events.dead_letter_search import State
from orders_service.events.dead_letters import keep
from orders_service.events.errors import HandlerFailed
from orders_service.events.tables import Action, DeadLetter, OutboxRow
from orders_service.operations.decisions import Cursor
from orders_service.operations.stock import products
from orders_service.orders.order import Status
from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import BERLIN, Api, assert_problem, at_once, member

# A valid request to each route under /admin that changes something.
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "admin.replay_dead_letters": ("/admin/dead-letters/replay", {"all": True}),
    "admin.discard_dead_letters": ("/admin/dead-letters/discard", {"all": True}),
    "admin.hold_dead_letters": ("/admin/dead-letters/hold", {"all": True}),
    "admin.release_dead_letters": ("/admin/dead-letters/release", {"all": True}),
    "admin.supply_stock": (f"/admin/stock/{BERLIN}/supplies", {"qty": 5, "note": "delivery 7"}),
    "admin.correct_stock": (f"/admin/stock/{BERLIN}/corrections", {"qty": -1, "note": "broken"}),
    "admin.requeue_outbox": ("/admin/outbox/requeue", {"database": "catalog"}),
    "admin.cancel_order": ("/admin/orders/ORDER/cancel", {}),
    "admin.resend_order": ("/admin/orders/ORDER/resend", {}),
}
# These change nothing in the databases, and must work while they are down.
NOT_RECORDED = {"admin.run_doctor"}
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def shop(api: Api) -> Iterator[Api]:
    """An API whose catalog and actions this test may change."""
    yield api
    with api.databases.catalog.begin() as connection:
        connection.execute(delete(Supply).where(Supply.note != "opening stock"))
        connection.execute(delete(Product).where(Product.product_id.not_like("CATALOG-%")))
        opening = select(Supply.qty).where(Supply.product_id == Product.product_id).scalar_subquery()
        connection.execute(update(Product).values(stock=opening))
        connection.execute(delete(DeadLetter))
    for engine in (api.databases.orders, api.databases.catalog):
        with engine.begin() as connection:
            connection.execute(delete(Action))


def post(api: Api, path: str, body: dict[str, Any], *, key: str | None = None) -> TestResponse:
    return api.client.post(path, json=body, headers={"Idempotency-Key": key} if key else {})


def done(response: TestResponse) -> str:
    """The sentence that says what was done."""
    assert response.status_code == 200, response.text
    return str(member(response, "done"))


def actions(api: Api) -> list[Action]:
    """All actions that are recorded."""
    found: list[Action] = []
    for engine in (api.databases.orders, api.databases.catalog):
        with Session(engine) as session:
            found += session.scalars(select(Action).order_by(Action.id))
    return found


def stock(api: Api) -> int:
    return int(member(api.get(f"/catalog-service/catalogs/{BERLIN}"), "stock"))


def test_the_requests_of_this_test_are_all_that_change_something(shop: Api) -> None:
    """A new route under /admin that changes something needs a row in `BODIES`."""
    rules = [rule for rule in shop.app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]

    changing = {
        rule.endpoint for rule in rules if {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set())
    }

    assert changing - NOT_RECORDED == BODIES.keys()


@pytest.mark.parametrize("endpoint", BODIES)
def test_every_change_is_recorded_with_who_when_and_what(shop: Api, endpoint: str) -> None:
    path, body = BODIES[endpoint]
    before = utc_now()

    sentence = done(post(shop, path.replace("ORDER", shop.placed()), body))

    (action,) = actions(shop)
    assert (action.done_by, action.outcome) == ("the page", sentence)
    assert before <= action.done_at <= utc_now()
    assert action.action
    assert action.target


@pytest.mark.parametrize("endpoint", BODIES)
def test_the_same_key_does_it_once(shop: Api, endpoint: str) -> None:
    path, body = BODIES[endpoint]
    path = path.replace("ORDER", shop.placed())
    first = post(shop, path, body, key="k-1")

    again = post(shop, path, body, key="k-1")

    assert (first.status_code, again.json) == (200, first.json)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(actions(shop)) == 1


@pytest.mark.parametrize("endpoint", BODIES)
def test_a_change_wants_json(shop: Api, endpoint: str) -> None:
    """A page of another site can send a form without asking first, but no JSON."""
    response = shop.client.post(BODIES[endpoint][0], data="all=true", content_type="text/plain")

    assert_problem(response, 415, "unsupported-media-type")
    assert actions(shop) == []


@pytest.mark.parametrize("endpoint", BODIES)
def test_an_unknown_field_is_refused(shop: Api, endpoint: str) -> None:
    path, body = BODIES[endpoint]

    assert_problem(post(shop, path, body | {"x": 1}), 422, "invalid-fields", fields=("x",))
    many = {f"x{number}": 1 for number in range(51)}
    assert_problem(post(shop, path, many), 422, "invalid-fields", fields=tuple(sorted(many)[:20]))
    assert actions(shop) == []


def test_a_key_belongs_to_one_request(shop: Api) -> None:
    path, body = BODIES["admin.supply_stock"]
    post(shop, path, body, key="k-2")

    response = post(shop, path, body | {"qty": 6}, key="k-2")

    assert_problem(response, 422, "idempotency-key-reused")
    assert stock(shop) == 105


def test_many_at_once_with_one_key_supply_once(shop: Api) -> None:
    path, body = BODIES["admin.supply_stock"]

    answers = at_once(5, lambda _: post(shop, path, body, key="k-3"))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert stock(shop) == 105
    assert len(actions(shop)) == 1


def test_the_operator_of_a_token_is_recorded_and_has_keys_of_its_own(shop: Api) -> None:
    path, body = BODIES["admin.supply_stock"]
    with Api.on(shop.databases, **WITH_SECRET) as secured:
        for user, note in (("kim", "a"), ("ann", "b")):
            headers = bearer(token(sub=user, scope="orders:operate")) | {"Idempotency-Key": "same"}
            response = secured.client.post(path, json=body | {"note": note}, headers=headers)
            assert response.status_code == 200, response.text

        refused = secured.client.post(path, json=body, headers=bearer(token()))

    assert_problem(refused, 403, "insufficient-scope")
    assert [action.done_by for action in actions(shop)] == ["kim", "ann"]
    assert stock(shop) == 110


def test_actions_of_both_databases_are_listed_newest_first(shop: Api) -> None:
    post(shop, *BODIES["admin.supply_stock"])
    order_id = shop.placed()
    post(shop, f"/admin/orders/{order_id}/cancel", {})

    listed = member(shop.get("/admin/actions"), "actions")

    assert [(row["action"], row["on"], row["by"]) for row in listed] == [
        ("orders cancel", order_id, "the page"),
        ("catalog supply", BERLIN, "the page"),
    ]
    assert listed[0]["outcome"] == f"Order {order_id} was cancelled."


def test_the_stock_is_shown_with_its_sum_and_its_supplies(shop: Api) -> None:
    post(shop, *BODIES["admin.supply_stock"])

    shown = shop.get("/admin/stock").json or {}

    berlin = shown["products"][0]
    numbers = (berlin["productId"], berlin["stock"], berlin["reserved"], berlin["supplied"])
    assert numbers == (BERLIN, 105, 0, 105)
    assert (berlin["addsUp"], berlin["surplus"]) == (True, 0)
    assert shown["sum"] == {"stock": 335, "reserved": 0, "supplied": 335, "addsUp": True}
    assert (shown["supplies"][0]["qty"], shown["supplies"][0]["note"]) == (5, "delivery 7")
    assert (shown["more"], shown["problem"]) == (False, None)


def test_a_new_product_with_a_slash_is_supplied(shop: Api) -> None:
    body = {"qty": 3, "note": "first", "productName": "<b>Lamp</b>", "unitPrice": 7}

    supplied = post(shop, "/admin/stock/a%2Fb/supplies", body)
    again = post(shop, "/admin/stock/a%2Fb/supplies", body | {"note": "second"})

    assert done(supplied) == "3 pieces of a/b supplied: 3 in stock."
    assert member(supplied, "command") == (
        "orders-service catalog supply a/b 3 --note first --name '<b>Lamp</b>' --unit-price 7"
    )
    assert_problem(again, 422, "invalid-fields", fields=("productName",))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("supplies", {"qty": 0, "note": "x"}, "qty"),
        ("supplies", {"qty": "1", "note": "x"}, "qty"),
        ("supplies", {"qty": 2**31, "note": "x"}, "qty"),
        ("supplies", {"qty": 2**31 - 1, "note": "x"}, "qty"),
        ("supplies", {"qty": 1}, "note"),
        ("supplies", {"qty": 1, "note": "\x1b[2J"}, "note"),
        ("supplies", {"qty": 1, "note": "x" * 256}, "note"),
        ("supplies", {"qty": 1, "note": "x", "productName": "y"}, "unitPrice"),
        ("supplies", {"qty": 1, "note": "x", "productName": "y", "unitPrice": 1}, "productName"),
        ("corrections", {"qty": 0, "note": "x"}, "qty"),
        ("corrections", {"qty": -101, "note": "x"}, "qty"),
    ],
)
def test_a_wrong_change_of_the_stock_is_refused(
    shop: Api, path: str, body: dict[str, Any], field: str
) -> None:
    response = post(shop, f"/admin/stock/{BERLIN}/{path}", body)

    assert_problem(response, 422, "invalid-fields", fields=(field,))
    assert stock(shop) == 100
    assert actions(shop) == []


def test_a_product_that_does_not_exist_is_404(shop: Api) -> None:
    assert_problem(
        post(shop, "/admin/stock/none/corrections", {"qty": 1, "note": "x"}), 404, "product-not-found"
    )


def test_a_note_is_used_once(shop: Api) -> None:
    path, body = BODIES["admin.supply_stock"]
    post(shop, path, body)

    again = post(shop, path, body)
    other = post(shop, path, body | {"qty": 6})

    assert done(again) == "Nothing was done, because this note was used before: 105 in stock."
    assert_problem(other, 422, "invalid-fields", fields=("note",))


def test_an_order_of_any_user_is_cancelled_and_a_rejected_one_is_not(shop: Api) -> None:
    order_id, rejected = shop.placed("ann"), shop.placed("kim", status=Status.REJECTED)

    first = post(shop, f"/admin/orders/{order_id}/cancel", {})
    again = post(shop, f"/admin/orders/{order_id}/cancel", {})
    refused = post(shop, f"/admin/orders/{rejected}/cancel", {})

    assert done(first) == f"Order {order_id} was cancelled."
    assert done(again) == f"Order {order_id} was cancelled before. Nothing was done."
    assert_problem(refused, 409, "order-rejected")
    assert shop.cancelled() == [order_id]


def test_the_event_of_an_order_is_sent_again(shop: Api) -> None:
    order_id = shop.placed()

    sentence = done(post(shop, f"/admin/orders/{order_id}/resend", {}))

    assert sentence == f"The event of order {order_id} will be sent again."
    first, second = shop.outbox()
    assert (first.id, first.payload) == (second.id, second.payload)


@pytest.mark.parametrize("word", ["cancel", "resend"])
def test_an_order_that_does_not_exist_is_404(shop: Api, word: str) -> None:
    assert_problem(post(shop, f"/admin/orders/none/{word}", {}), 404, "order-not-found")


def test_events_that_were_set_aside_are_shown_and_sent_again(shop: Api) -> None:
    order_id = shop.placed()
    with shop.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(lane=None, error="too large \x1b[2J"))

    before = (shop.get("/admin/outbox").json or {})["databases"][0]
    tried = post(shop, "/admin/outbox/requeue", {"database": "orders", "dryRun": True})
    sentence = done(post(shop, "/admin/outbox/requeue", {"database": "orders"}))
    after = (shop.get("/admin/outbox").json or {})["databases"][0]

    assert (before["setAside"][0]["orderId"], before["lanes"]) == (order_id, [])
    assert before["setAside"][0]["error"] == "too large \\x1b[2J"
    assert done(tried) == "1 event of orders would be sent again."
    assert (member(tried, "changed"), member(tried, "wouldChange")) == (0, 1)
    assert sentence == "1 event of orders will be sent again."
    assert (after["setAside"], after["lanes"][0]["pending"]) == ([], 1)
    assert after["lanes"][0]["oldestSeconds"] >= 0


@pytest.mark.parametrize("database", ["other", 1, None, ["orders"]])
def test_another_database_is_refused(shop: Api, database: object) -> None:
    response = post(shop, "/admin/outbox/requeue", {"database": database})

    assert_problem(response, 422, "invalid-fields", fields=("database",))


def test_a_database_that_does_not_answer_leaves_the_other_parts(own_api: Api, away: str) -> None:
    databases = own_api.databases
    with Api.on(databases, CATALOG_DATABASE_URL=away) as half:
        stock, outbox = half.get("/admin/stock"), half.get("/admin/outbox")
        others = [
            half.get(path) for path in ("/admin/dead-letters/groups", "/admin/dead-letters", "/admin/actions")
        ]
        others.append(post(half, "/admin/dead-letters/hold", {"all": True}))

    problem = "The catalog database does not answer."
    assert (stock.status_code, member(stock, "problem")) == (200, problem)
    assert [each["problem"] for each in member(outbox, "databases")] == [None, problem]
    assert [(each.status_code, member(each, "problem")) for each in others] == [(200, problem)] * 4


def test_one_request_decides_about_a_bounded_number_of_letters(
    shop: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.api.admin.letter_changes.MOST", 3)
    with Session(shop.databases.catalog) as session:
        letters = [(Record("t", 0, n, 1, b"k", b"v", ()), HandlerFailed("x")) for n in range(5)]
        keep(session, letters, group="catalog-stock", clock=utc_now)
        session.commit()

    first = post(shop, "/admin/dead-letters/hold", {"all": True}).json or {}
    second = post(shop, "/admin/dead-letters/hold", {"all": True}).json or {}

    assert (first["changed"], first["more"]) == (3, True)
    assert (second["changed"], second["more"]) == (2, False)


def test_letters_that_stay_do_not_hide_those_behind_them(shop: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_service.api.admin.letter_changes.MOST", 3)
    with Session(shop.databases.catalog) as session:
        letters = [(Record("t", 0, n, 1, b"k", b"v", ()), HandlerFailed("x")) for n in range(5)]
        keep(session, letters, group="catalog-stock", clock=utc_now)
        session.commit()

    first = post(shop, "/admin/dead-letters/replay", {"all": True}).json or {}
    second = post(shop, "/admin/dead-letters/replay", {"all": True, "after": first["next"]}).json or {}

    assert (first["matched"], first["changed"], first["more"]) == (3, 0, True)
    assert [one["recordId"] for one in second["left"]] == ["t-0@3", "t-0@4"]
    assert (second["more"], second["next"]) == (False, None)


def test_a_selection_that_nothing_matches_ends_in_time_and_goes_on(
    shop: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(shop.databases.catalog) as session:
        letters = [(Record("t", 0, n, 1, b"k", b"v", ()), HandlerFailed("x")) for n in range(5)]
        keep(session, letters, group="catalog-stock", clock=utc_now)
        session.commit()
    body = {"reason": "none", "dryRun": True}
    monkeypatch.setattr("orders_service.api.admin.letter_changes.SECONDS", 0.0)

    stopped = post(shop, "/admin/dead-letters/hold", body).json or {}
    monkeypatch.undo()
    ended = post(shop, "/admin/dead-letters/hold", body | {"after": stopped["next"]}).json or {}

    assert (stopped["matched"], stopped["more"]) == (0, True)
    assert (ended["matched"], ended["more"], ended["wouldChange"]) == (0, False, 0)


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "\u00e9", "W10=", 1, "x" * 5000),
        Cursor("catalog", State.REPLAYED).text,
        Cursor("catalog", State.WAITING, (utc_now(), None, "\ud800", 0, 0, 0, "g")).text,
    ],
)
def test_a_cursor_of_nobody_is_refused(shop: Api, cursor: object) -> None:
    response = post(shop, "/admin/dead-letters/hold", {"all": True, "after": cursor})

    assert_problem(response, 422, "invalid-fields", fields=("after",))


def test_too_many_products_are_not_added_up(shop: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_service.operations.stock.PRODUCTS_MAX", 1)

    with Session(shop.databases.catalog) as session:
        found = products(session)

    assert (found.more, found.sum) == (True, None)


@pytest.mark.parametrize("path", ["dead-letters/groups", "outbox", "stock"])
def test_all_tabs_share_one_reading(shop: Api, path: str) -> None:
    first = shop.get(f"/admin/{path}")
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        second = shop.get(f"/admin/{path}")
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert (first.status_code, second.json) == (200, first.json)
    assert statements == []


def test_a_letter_of_one_database_is_shown_while_the_other_is_down(own_api: Api, away: str) -> None:
    with Session(own_api.databases.catalog) as session:
        letters = [(Record("t", 0, 7, 1, b"k", b"v", ()), HandlerFailed("x"))]
        keep(session, letters, group="catalog-stock", clock=utc_now)
        session.commit()

    with Api.on(own_api.databases, ORDERS_DATABASE_URL=away) as half:
        shown, missing = half.get("/admin/dead-letters/t-0@7"), half.get("/admin/dead-letters/t-0@8")

    assert (shown.status_code, member(shown, "recordId")) == (200, "t-0@7")
    assert_problem(missing, 503, "database-unavailable")
