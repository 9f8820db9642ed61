"""The people of a history: customers who order, and the operator who uses the operator's commands."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import sessionmaker

from orders_service import processes, resources
from orders_service.catalog import service as catalog
from orders_service.catalog.errors import NotInStock
from orders_service.database.transactions import in_transaction
from orders_service.events import dead_letter_search, requeue, resolving, upkeep
from orders_service.events.dead_letter_search import Filter
from orders_service.events.resolving import Resolution
from orders_service.orders import service
from orders_service.orders.service import Placement
from orders_service.processes import DATABASES, DatabaseName
from orders_service.workers import build
from rig.customers import Customer
from rig.simulation.members import KEEP, Answer, Api, with_clock
from rig.simulation.scheduler import EPOCH
from rig.simulation.session import open_engine
from rig.simulation.world import Process, World

Command = tuple[str, Callable[[], object]]  # What it is called, and what it does.

TRIES = 40
CLOCKS_DIFFER = timedelta(minutes=10)  # An operator knows that the clocks of processes may be wrong.
PAUSE_SECONDS = (0.01, 0.3)
PRICE = 10


class Customers:
    """Customers who come one after the other. Each has one order, and remembers the answers."""

    def __init__(self, world: World, apis: list[Api], products: list[str]) -> None:
        self._world = world
        self._apis = apis
        self._products = products
        self._chance = world.plan.chance("customers")
        self.told: list[Customer] = []
        self.served = 0

    def arrive(self, api: Api | None = None) -> None:
        """A customer comes, and orders in a task. One who comes to a certain API has to be accepted there."""
        chance, number = self._chance, len(self.told)
        key = f"key-{number}" if chance.random() < 0.7 else None
        customer = Customer(
            name=f"customer-{number}",
            product=chance.choice(self._products),
            qty=chance.randint(1, 3),
            key=key if api is None else f"key-{number}",
            repeats=key is not None and chance.random() < 0.3,
            cancels=chance.random() < 0.35,
        )
        self.told.append(customer)
        apis = self._apis if api is None else [api]
        self._world.scheduler.spawn(
            customer.name, lambda: self._serve(customer, apis, demands=api is not None)
        )

    def next_order_id(self) -> str:
        """The id of the next customer's order, if that customer has a key."""
        number = len(self.told)
        return service.new_order_id(f"customer-{number}", f"key-{number}")

    @property
    def are_served(self) -> bool:
        """Whether every customer has been answered, or has given up."""
        return self.served == len(self.told)

    def _serve(self, customer: Customer, apis: list[Api], *, demands: bool) -> None:
        for _ in range(2 if customer.repeats else 1):
            self._place(customer, apis)
        if customer.order_ids:
            self._look(customer, apis)
            if customer.cancels:
                self._cancel(customer, apis)
                self._look(customer, apis)
        elif demands:
            customer.odd.append("no 201, although everything is repaired")
        self.served += 1

    def _place(self, customer: Customer, apis: list[Api]) -> None:
        def place(api: Api) -> Answer:
            return api.place(
                Placement(
                    product_id=customer.product,
                    qty=customer.qty,
                    unit_price=PRICE,
                    order_id=service.new_order_id(customer.name, customer.key),
                    user_id=customer.name,
                    keyed=customer.key is not None,
                )
            )

        answer = self._ask(customer, apis, "order", place, retries=customer.key is not None)
        if answer.status == 201:
            customer.order_ids.append(answer.body)

    def _cancel(self, customer: Customer, apis: list[Api]) -> None:
        order_id = customer.order_ids[0]
        answer = self._ask(
            customer, apis, "cancel", lambda api: api.cancel(customer.name, order_id), retries=True
        )
        if answer.status in (200, 409):
            customer.cancelled = answer.status == 200

    def _look(self, customer: Customer, apis: list[Api]) -> None:
        order_id = customer.order_ids[-1]
        if self._chance.random() < 0.4:
            self._ask(customer, apis, "look", lambda api: api.show(customer.name, order_id), retries=True)

    def _ask(
        self, customer: Customer, apis: list[Api], what: str, ask: Callable[[Api], Answer], *, retries: bool
    ) -> Answer:
        world, chance = self._world, self._chance
        expected = {"order": (201,), "cancel": (200, 409), "look": (200,)}[what]
        answer = Answer()
        for _ in range(TRIES):
            world.scheduler.sleep(chance.uniform(*PAUSE_SECONDS))
            api = chance.choice(apis)
            answer = ask(api) if api.process.alive else Answer()
            world.note(customer.name, f"{what}: {answer.status} {answer.body or ''} from {api.process.name}")
            if answer.status in expected:
                break
            if answer.status not in (0, 503):
                customer.odd.append(f"{answer.status} {answer.body} to {what}")
                break
            if not retries:
                break
        return answer


class Operator:
    """A person who repairs. Everything that is done here is a command of `orders-service`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.plan.chance("operator")
        self._sessions = {
            name: sessionmaker(open_engine(server, hold_inserts=True), expire_on_commit=False)
            for name, server in world.servers.items()
        }
        self.busy = 0
        self._notes = 0
        self._attended: set[Process] = set()

    def do(self, *commands: Command) -> None:
        """Run commands in a task, one after the other. After an error of the database, each again."""
        self.busy += 1

        def run() -> None:
            for what, work in commands:
                self._run(what, work)
            self.busy -= 1

        self._world.scheduler.spawn("operator", run)

    def attends(self, process: Process) -> bool:
        """Whether the operator is about to start this process."""
        return process in self._attended

    def attend(self, process: Process, row: processes.Consumer, *, gone: bool) -> None:
        """Start a consumer again that has stopped, after doing what its message says."""

        def start() -> str:
            self._world.skip_gap[process] = gone
            self._attended.discard(process)
            process.start()
            return "started with --skip-gap" if gone else "started"

        self._attended.add(process)
        last = f"start {process.name}", start
        if gone:
            relay = next(relay for relay in processes.RELAYS if row.topic.name in relay.topics)
            # Lost answers of the catalog come again, too, when the orders that wait for them are sent again.
            is_resent = relay.database == "catalog" and self._chance.random() < 0.5
            again = (
                self.resend(self._clock() + CLOCKS_DIFFER) if is_resent else self.requeue(relay.database, 0)
            )
            self.do(again, last)
        elif self._chance.random() < 0.5:
            self.do(self.resolve(row, "replayed"), self.resolve(row, "discarded"), last)
        else:
            self.do(self.resolve(row, "discarded"), last)

    def resend(self, placed_before: datetime | None = None) -> Command:
        """The command `outbox resend`, for the orders of any time or those that are older than that."""
        before = placed_before or self._clock() - timedelta(seconds=self._chance.uniform(0, 2))
        outbox = self._world.outbox("orders")

        def work() -> int:
            with self._sessions["orders"]() as session:
                return service.resend(session, placed_before=before, outbox=outbox, clock=self._clock)

        return "outbox resend", work

    def requeue(self, database: DatabaseName, since: float | None = None) -> Command:
        """The command `outbox requeue` with `--since` or, without a time, with `--set-aside`."""

        def work() -> int:
            with self._sessions[database]() as session:
                if since is None:
                    return requeue.requeue_set_aside(session, pending=True)
                at = EPOCH + timedelta(seconds=since) - CLOCKS_DIFFER
                return requeue.requeue_since(session, at, pending=True)

        return f"outbox requeue of {database}", work

    def requeue_any(self) -> Command:
        """The command `outbox requeue` for one of the databases."""
        since = self._chance.choice([None, max(0.0, self._world.scheduler.now - 1)])
        return self.requeue(self._chance.choice(DATABASES), since)

    def purge(self) -> Command:
        """The command `outbox purge`."""

        def work() -> int:
            deleted = 0
            for sessions in self._sessions.values():
                with sessions() as session:
                    deleted += upkeep.purge_all(session, before=self._clock() - KEEP)
            return deleted

        return "outbox purge", work

    def supply(self, product: str) -> Command:
        """The command `catalog supply`, sometimes twice with the same note."""
        if self._chance.random() < 0.7:
            self._notes += 1
        note, qty = f"delivery {self._notes}", 1 + self._notes % 4
        add = partial(catalog.supply, product_id=product, qty=qty, note=note, now=self._clock())

        def work() -> bool:
            with self._sessions["catalog"]() as session:
                return in_transaction(session, add)

        return f"catalog supply {product} {qty} ({note})", work

    def correct(self, product: str) -> Command:
        """The command `catalog correct`, sometimes twice with one note. It may ask for more than there is."""
        if self._chance.random() < 0.7:
            self._notes += 1
        note, qty = f"correction {self._notes}", (-3, -1, -2, 2)[self._notes % 4]
        change = partial(catalog.correct, product_id=product, qty=qty, note=note, now=self._clock())

        def work() -> object:
            with self._sessions["catalog"]() as session:
                try:
                    return in_transaction(session, change)
                except NotInStock as refusal:
                    return f"refused: {refusal.stock} in stock, {refusal.reserved} reserved"

        return f"catalog correct {product} {qty:+} ({note})", work

    def resolve(self, row: processes.Consumer, resolution: Resolution) -> Command:
        """The command `dead-letters replay` or `discard`, for all letters of a consumer's group."""
        made = build.handler if resolution == "replayed" else build.discard_handler
        handler = with_clock(made(row, self._world.settings), self._clock)
        only = Filter(group=resources.group(self._world.settings, row))

        def work() -> str:
            outcomes: Counter[str] = Counter()
            with self._sessions[row.database]() as session:
                for letter in dead_letter_search.find(session, only):
                    problem = resolving.resolve(
                        session, letter, handler, resolution=resolution, by="operator", clock=self._clock
                    )
                    outcomes[problem.partition(":")[0] or resolution] += 1
            return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none"

        return f"dead-letters of {row.command}", work

    def _run(self, what: str, work: Callable[[], object]) -> None:
        for _ in range(TRIES):
            try:
                done = work()
            except Exception as error:
                self._world.failed("operator", error)
                self._world.scheduler.sleep(1)
            else:
                self._world.note("operator", f"{what}: {done}")
                return
        self._world.problems.append(f"the operator gave up: {what}")

    def _clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self._world.scheduler.now)
