"""Our API without its database: it answers every order as placed, and stores none."""

from flask import Flask

from orders_service import logs
from orders_service.api.serving.server import Server
from orders_service.orders.service import Placed, Placement
from orders_service.settings import Settings


class Nowhere:
    """Takes the place of the committer, and commits nothing."""

    def require_room(self) -> None:
        """The queue is never full."""

    def place(self, placement: Placement) -> Placed:
        return Placed(placement, replayed=False)

    def show_queue(self) -> None:
        """The queue is always empty."""


class Ceiling(Server):
    """The API's server without its committer."""

    def load(self) -> Flask:
        app = super().load()
        app.extensions["committer"] = Nowhere()
        return app


if __name__ == "__main__":
    settings = Settings.read()
    logs.configure(settings.log_level, settings.log_format)
    Ceiling(settings, {}, greenlets=True).run()
