"""`python -m orders_service` is `orders-service`."""

from orders_service.cli import main

main()
