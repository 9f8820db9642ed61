"""The time-outs of every wait for a database, in seconds."""

CONNECT_SECONDS = 3
# With several hosts, each is tried for so long, because another one may answer at once.
HOST_SECONDS = 1.5
# With several hosts, the time-out for a reply: another host may still answer in time.
HOST_READ_SECONDS = 4
FAILED_SECONDS = 30  # A host that failed is tried last for so long.
SPARE_SECONDS = 5  # A connection to a read-only host, for lack of another one, is used for so long.
READ_SECONDS = 10  # For a socket write, too: the longest time that the network may stall.
LOCK_SECONDS = 5
# A transaction whose connection was lost is repeated for so long: there may be another server in a moment.
FAILOVER_SECONDS = 2
POOL_SECONDS = 6  # Longer than HOST_READ_SECONDS, and than a Galera cluster needs to vote a node out.
# With one host, a request that only reads orders waits this long; then it is answered 503, so that its client
# backs off.
API_POOL_SECONDS = 1
# How long a request waits for its order's commit. Shorter than the API's graceful shutdown.
COMMIT_SECONDS = 7
IDLE_TRANSACTION_SECONDS = 10  # A paused process would otherwise keep its row locks for hours.
