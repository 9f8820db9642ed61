"""Runs the command `orders-service` as `python -m orders_service`."""

from orders_service.cli import main

main()
