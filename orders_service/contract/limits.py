"""The limits of an order and of its events, in characters and as numbers."""

TEXT_MAX = 255
PRODUCT_ID_MAX = 120
REASON_MAX = 64
PRODUCT_ID_MAX = 120
USER_ID_MAX = 255
QTY_MAX = 10_000
UNIT_PRICE_MAX = 100_000_000
TOTAL_PRICE_MAX = 2**31 - 1  # The course's Java and the sink's schema are 32-bit.
