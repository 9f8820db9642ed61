"""The limits of an order and of its events, in characters and as numbers."""

INT_MAX = 2**31 - 1  # The course's Java, its tables and its sink are 32-bit.
TEXT_MAX = 255  # A text, such as an order's id.
USER_ID_MAX = 255
PRODUCT_ID_MAX = 120
REASON_MAX = 64
# An order that comes in over HTTP. An event of another producer may have up to INT_MAX.
QTY_MAX = 10_000
UNIT_PRICE_MAX = 100_000_000
TOTAL_PRICE_MAX = INT_MAX
