"""The process that sends the events of the catalog's outbox to the broker."""

from orders_service.workers.build import command

main = command("catalog-relay")
