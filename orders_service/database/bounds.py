"""The time-outs of every wait for a database, in seconds."""

CONNECT_SECONDS = 3
# With several hosts, each is tried for so long, because another one may answer at once.
HOST_SECONDS = 1.5
# A reply to the API, to a relay or to a consumer then: another host may still do it in time.
HOST_READ_SECONDS = 4
FAILED_SECONDS = 30  # A host that failed is tried last for so long.
SPARE_SECONDS = 5  # A connection to a read-only host, for lack of another one, is used for so long.
READ_SECONDS = 10  # For a socket write, too: the longest time that the network may stall.
LOCK_SECONDS = 5
# A transaction whose connection was lost is repeated for so long: there may be another server in a moment.
FAILOVER_SECONDS = 2
POOL_SECONDS = 5  # Longer than a host that hangs is waited for, and than a cluster needs to vote a node out.
# A request of the API that only reads, if there is one host, is answered 503 then: its client can back off.
API_POOL_SECONDS = 1
# How long a request waits for its order's commit. Shorter than the API's graceful shutdown.
COMMIT_SECONDS = 7
IDLE_TRANSACTION_SECONDS = 10  # A paused process would otherwise keep its row locks for hours.
