"""The names of the spans and of their attributes: OpenTelemetry's semantic conventions 1.45."""

GROUP = "group commit"
# A topic follows. The name of a request's span is its method and route.
SEND, PROCESS = "send", "process"
OTHER = "_OTHER"  # The method of a request that has no route.

METHOD, ROUTE, STATUS = "http.request.method", "http.route", "http.response.status_code"
ERROR = "error.type"
ORDER = "orders.order.id"
DATABASE, GROUP_SIZE = "db.system.name", "db.operation.batch.size"
SYSTEM, TOPIC = "messaging.system", "messaging.destination.name"
OPERATION, OPERATION_TYPE = "messaging.operation.name", "messaging.operation.type"
BATCH_SIZE = "messaging.batch.message_count"
CONSUMER_GROUP = "messaging.consumer.group.name"
PARTITION, OFFSET = "messaging.destination.partition.id", "messaging.kafka.offset"
