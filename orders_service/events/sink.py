"""The schema part of a record for a Kafka Connect sink, as in the course's records."""

ROW_SCHEMA = {
    "type": "struct",
    "fields": [
        {"type": type_, "optional": True, "field": field}
        for type_, field in (
            ("string", "order_id"),
            ("string", "user_id"),
            ("string", "product_id"),
            ("int32", "qty"),
            ("int32", "unit_price"),
            ("int32", "total_price"),
        )
    ],
    "optional": False,
    "name": "orders",
}
