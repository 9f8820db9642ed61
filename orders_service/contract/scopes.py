"""The scopes of access tokens and API keys: what a client may do."""

READ = "orders:read"
WRITE = "orders:write"
ADMIN = "orders:admin"
OPERATE = "orders:operate"

SCOPES = {
    READ: "Read one's own orders, and the products.",
    WRITE: "Place and cancel one's own orders.",
    ADMIN: "Use the other scopes for the orders of every user.",
    OPERATE: "Read the metrics, and read and change everything under `/admin`: orders, stock, events.",
}
