"""The process that sends the events of the orders' outbox to the broker."""

from orders_service.workers.build import command

main = command("orders-relay")
