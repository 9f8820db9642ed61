"""The tutorial's catalog: for each record read the product, change it, write it back, commit.

What the course's own catalog does, in Python. A record that comes twice is subtracted twice; two of
these lose each other's changes.
"""

import json
import os

import kafka
from sqlalchemy import Integer, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tutorial's models."""


class Product(Base):
    """The catalog's table."""

    __tablename__ = "catalog"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(String(120), unique=True)
    stock: Mapped[int] = mapped_column(Integer)


def main() -> None:
    """Take every order from stock, for ever."""
    engine = create_engine(os.environ["CATALOG_DATABASE_URL"])
    consumer = kafka.KafkaConsumer(
        os.environ["CATALOG_TOPIC"],
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=os.environ["STOCK_GROUP"],
        auto_offset_reset="earliest",
    )
    with Session(engine) as session:
        for record in consumer:
            order = json.loads(record.value)
            query = select(Product).where(Product.product_id == order["productId"])
            product = session.scalars(query).one_or_none()
            if product is not None:
                product.stock -= order["qty"]
                session.commit()


if __name__ == "__main__":
    main()
