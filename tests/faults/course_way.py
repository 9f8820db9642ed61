"""The parts of the course's two services that lose data, in Python: save, then send; read, subtract, save.

`python -m tests.faults.course_way orders|catalog` with DATABASE, SERVERS, TOPIC in the environment.
"""

import json
import os
import sys
import threading
import uuid
from typing import Any

import kafka
from sqlalchemy import Engine, create_engine, text

THREADS = 8
TABLES = (
    "CREATE TABLE IF NOT EXISTS orders (order_id VARCHAR(255) PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS catalog (product_id VARCHAR(120) PRIMARY KEY, stock INT)",
)


def place_orders(engine: Engine, producer: Any, topic: str) -> None:
    """Save and commit each order, then give its event to the producer."""
    while True:
        order_id = str(uuid.uuid4())
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": order_id})
        producer.send(topic, json.dumps({"orderId": order_id, "productId": "LAMP", "qty": 1}).encode())


def take_stock(engine: Engine, consumer: Any) -> None:
    """For each record, read the product, subtract from its stock in memory, and save it."""
    for record in consumer:
        event = json.loads(record.value)
        with engine.begin() as connection:
            product = {"id": event["productId"]}
            found = connection.execute(text("SELECT stock FROM catalog WHERE product_id = :id"), product)
            left = found.scalar_one() - event["qty"]
            connection.execute(
                text("UPDATE catalog SET stock = :left WHERE product_id = :id"), {"left": left, **product}
            )


def main() -> None:
    """Run one of the two services until it is killed."""
    engine = create_engine(os.environ["DATABASE"], pool_size=THREADS)
    servers, topic = os.environ["SERVERS"], os.environ["TOPIC"]
    if sys.argv[1] == "catalog":
        take_stock(
            engine,
            kafka.KafkaConsumer(
                topic, bootstrap_servers=servers, group_id=topic, auto_offset_reset="earliest"
            ),
        )
    producer = kafka.KafkaProducer(bootstrap_servers=servers)
    for _ in range(THREADS):
        threading.Thread(target=place_orders, args=(engine, producer, topic)).start()


if __name__ == "__main__":
    main()
