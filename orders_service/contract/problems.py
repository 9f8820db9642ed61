"""The problem types: every error that the API answers, with its meaning and its remedy (RFC 9457).

The `type` of a problem is `/problems/` and its slug. A client may rely on slug and status; the texts may
change.
"""

from orders_service.contract.problem_type import ProblemType

__all__ = ["MEDIA_TYPE", "PROBLEMS", "ProblemType"]

MEDIA_TYPE = "application/problem+json"
WAIT_AND_REPEAT = "Wait for the seconds in the header Retry-After, then repeat the request."

TYPES = (
    ProblemType(
        slug="bad-request",
        status=400,
        title="Bad Request",
        meaning="The request is not valid HTTP/1.1, its address is ambiguous, or a parameter is repeated.",
        remedy="Change the request as `detail` says.",
    ),
    ProblemType(
        slug="unknown-parameter",
        status=400,
        title="The query parameter does not exist",
        meaning="This address has no query parameter of that name. `parameters` are the names that it has.",
        remedy="Correct the name or leave the parameter out.",
    ),
    ProblemType(
        slug="unknown-after",
        status=400,
        title="The list does not have the row after which the page begins",
        meaning="`after` is not the id of an order of this user, or of a product.",
        remedy="Follow the URL in the header Link, or read the list from its beginning, without `after`.",
    ),
    ProblemType(
        slug="invalid-body",
        status=400,
        title="The body is not a JSON object",
        meaning="The body is empty, incomplete, not UTF-8, not JSON, or JSON but not an object.",
        remedy="Send one JSON object in UTF-8. `detail` says where the body is wrong.",
    ),
    ProblemType(
        slug="invalid-idempotency-key",
        status=400,
        title="The idempotency key cannot be used",
        meaning="The header Idempotency-Key is repeated, empty, too long, or has other characters than"
        " visible ASCII.",
        remedy="Send the header once, with 1 to 255 visible ASCII characters, for example a UUID.",
    ),
    ProblemType(
        slug="unauthorized",
        status=401,
        title="A valid token is needed",
        meaning="The request has no token and no API key, or one that is not accepted: `detail` says why.",
        remedy="Send `Authorization: Bearer` and a valid token. If yours has expired, get a new one.",
    ),
    ProblemType(
        slug="insufficient-scope",
        status=403,
        title="The token does not allow this",
        meaning="The token or API key is valid, but does not have the scope that `scope` names.",
        remedy="Get a token with this scope.",
    ),
    ProblemType(
        slug="not-your-orders",
        status=403,
        title="These are not your orders",
        meaning="The user in the path is not the user of the token, whether that user exists or not.",
        remedy="Use the path with the `sub` of your token. Only orders:admin gives access to every user.",
    ),
    ProblemType(
        slug="host-not-allowed",
        status=403,
        title="This host name is not allowed",
        meaning="The address is for operators. Without authentication it answers only to the names of the"
        " machine itself and to those in UI_HOSTS, so that no other site can read it through a browser.",
        remedy="Use the address on the machine itself, add the host name to UI_HOSTS, or set AUTH_MODE=jwt"
        " and send a token.",
    ),
    ProblemType(
        slug="not-found",
        status=404,
        title="Not Found",
        meaning="The API has no such address.",
        remedy="Compare the address with the list of addresses in /docs.",
    ),
    ProblemType(
        slug="order-not-found",
        status=404,
        title="The order does not exist",
        meaning="The user in the path has no order with this id.",
        remedy="Check the user id and the order id. After a 503 the order may be placed a moment later:"
        " repeat the POST with the same Idempotency-Key.",
    ),
    ProblemType(
        slug="product-not-found",
        status=404,
        title="The product does not exist",
        meaning="The catalog has no product with this id.",
        remedy="GET /catalog-service/catalogs lists the products.",
    ),
    ProblemType(
        slug="method-not-allowed",
        status=405,
        title="Method Not Allowed",
        meaning="The address exists, but not with this method.",
        remedy="Use a method that the header Allow names.",
    ),
    ProblemType(
        slug="request-timeout",
        status=408,
        title="Request Timeout",
        meaning="The head or the body of the request did not arrive in time.",
        remedy="Repeat the request, and send it without pauses.",
    ),
    ProblemType(
        slug="order-rejected",
        status=409,
        title="The order was rejected",
        meaning="The catalog has rejected the order, so there is nothing to cancel.",
        remedy="None is needed: no stock is reserved for the order.",
    ),
    ProblemType(
        slug="precondition-failed",
        status=412,
        title="The order has changed",
        meaning="The order has none of the versions in the header If-Match. Nothing was written.",
        remedy="Read the order again, decide again, and send its new ETag in If-Match.",
    ),
    ProblemType(
        slug="request-entity-too-large",
        status=413,
        title="Request Entity Too Large",
        meaning="The body has more bytes than the API accepts.",
        remedy="Send a smaller body. An order needs about 100 bytes.",
    ),
    ProblemType(
        slug="request-uri-too-long",
        status=414,
        title="Request-URI Too Long",
        meaning="The request line has more bytes than the API accepts.",
        remedy="Shorten the address.",
    ),
    ProblemType(
        slug="unsupported-media-type",
        status=415,
        title="Unsupported Media Type",
        meaning="The body is not declared as JSON in UTF-8, or it is compressed.",
        remedy="Send the header `Content-Type: application/json`, and the body without a Content-Encoding.",
    ),
    ProblemType(
        slug="expectation-failed",
        status=417,
        title="Expectation Failed",
        meaning="The header Expect has another value than `100-continue`.",
        remedy="Leave out the header Expect.",
    ),
    ProblemType(
        slug="invalid-fields",
        status=422,
        title="The request has invalid fields",
        meaning="A field of the body, the user id in the path or a query parameter has a wrong value."
        " Nothing was written.",
        remedy="`errors` names each wrong field, with a JSON Pointer if it is in the body, and says what is"
        " allowed.",
    ),
    ProblemType(
        slug="idempotency-key-reused",
        status=422,
        title="The idempotency key belongs to another request",
        meaning="This user has sent the same Idempotency-Key with another product, quantity or price, or this"
        " operator with another action. If it was an order, `orderId` is its id.",
        remedy="Send a new request with a new key. To repeat a request, send exactly the same.",
    ),
    ProblemType(
        slug="quota-exceeded",
        status=429,
        title="Too many requests",
        meaning="The client has sent more requests than RATE_LIMIT allows. Nothing was written.",
        remedy=WAIT_AND_REPEAT + " The header RateLimit says how many requests are left.",
        uri="https://iana.org/assignments/http-problem-types#quota-exceeded",
    ),
    ProblemType(
        slug="request-header-fields-too-large",
        status=431,
        title="Request Header Fields Too Large",
        meaning="The head of the request has more fields or more bytes than the API accepts.",
        remedy="Send fewer or shorter headers, for example fewer cookies.",
    ),
    ProblemType(
        slug="internal-server-error",
        status=500,
        title="Internal Server Error",
        meaning="The service has a fault. It was logged with a traceback.",
        remedy="Report it to the operators. A POST with an Idempotency-Key may be repeated.",
    ),
    ProblemType(
        slug="database-unavailable",
        status=503,
        title="The database is not available",
        meaning="The database did not answer in time, or accepts no changes now. If `orderId` is there, it"
        " is unknown whether that order was placed.",
        remedy=f"{WAIT_AND_REPEAT} Repeat a POST with the same Idempotency-Key: it places the order once.",
    ),
    ProblemType(
        slug="broker-unavailable",
        status=503,
        title="The broker does not answer",
        meaning="The records in the broker cannot be read now. Orders do not need them.",
        remedy=WAIT_AND_REPEAT,
    ),
    ProblemType(
        slug="overloaded",
        status=503,
        title="The service is overloaded",
        meaning="More requests wait than the service can answer soon. Nothing was written.",
        remedy=WAIT_AND_REPEAT,
    ),
    ProblemType(
        slug="keys-unavailable",
        status=503,
        title="Tokens cannot be checked now",
        meaning="The keys of the token's issuer could not be fetched yet. The token may be valid.",
        remedy=WAIT_AND_REPEAT,
    ),
    ProblemType(
        slug="too-many-waiters",
        status=503,
        title="Too many requests wait for orders",
        meaning="The request asks to wait for an order (`Prefer: wait`) or for a stream of events, and"
        " too many requests wait already. Nothing was written.",
        remedy=f"{WAIT_AND_REPEAT} Or send it without `Prefer: wait`, and GET the order later.",
    ),
    ProblemType(
        slug="not-ready",
        status=503,
        title="The service cannot accept orders now",
        meaning="The orders database does not answer, or was not migrated.",
        remedy="This is for operators: `orders-service doctor` says what to do.",
    ),
    ProblemType(
        slug="metrics-late",
        status=503,
        title="The metrics are not available now",
        meaning="The databases did not answer in time.",
        remedy="This is for operators: `orders-service doctor` says what to do.",
    ),
)
PROBLEMS = {each.slug: each for each in TYPES}
