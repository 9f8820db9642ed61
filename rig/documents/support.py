"""The descriptions of the endpoints of health and of the documentation."""

from rig.documents.operation import KNOWN, Operation

SUPPORT: dict[str, Operation] = {
    "health.live": Operation(
        id="isAlive",
        tag="health",
        summary="Does the process answer?",
        answer="It does.",
        schema="Alive",
    ),
    "health.ready": Operation(
        id="isReady",
        tag="health",
        summary="Can the service accept orders?",
        description="Orders need only the orders database. If the catalog database or the broker is down,"
        " events wait, and the status is `degraded`.",
        answer="It can.",
        schema="Ready",
        problems=("not-ready",),
    ),
    "health.order_service": Operation(
        id="orderServiceWorks",
        tag="health",
        summary="The course's health check of the order service",
        answer="A text.",
        types=("text/plain",),
    ),
    "health.catalog_service": Operation(
        id="catalogServiceWorks",
        tag="health",
        summary="The course's health check of the catalog service",
        answer="A text.",
        types=("text/plain",),
    ),
    "metrics.show": Operation(
        id="showMetrics",
        tag="health",
        summary="Metrics for Prometheus",
        description="The numbers of pending events and of dead letters, and their age. They are counted at"
        " most once a second.",
        answer="The metrics as text.",
        types=("text/plain",),
        problems=("metrics-late",),
    ),
    "documents.home": Operation(
        id="showHome",
        tag="documents",
        summary="The addresses of this API",
        answer="Links, as a page for a browser and as JSON for all others.",
        schema="Links",
        types=("application/json", "text/html"),
    ),
    "documents.openapi": Operation(
        id="showOpenApi",
        tag="documents",
        summary="This document",
        answer="OpenAPI 3.1.",
        schema="Any",
        headers=("ETag",),
        empty=KNOWN,
    ),
    "documents.asyncapi": Operation(
        id="showAsyncApi",
        tag="documents",
        summary="The events",
        answer="AsyncAPI 3.0, with the topics and partitions of this deployment.",
        schema="Any",
        headers=("ETag",),
        empty=KNOWN,
    ),
    "documents.schema": Operation(
        id="showEventSchema",
        tag="documents",
        summary="The JSON Schema of an event",
        answer="JSON Schema, draft 2020-12.",
        schema="Any",
        types=("application/schema+json",),
        headers=("ETag",),
        problems=("not-found",),
        empty=KNOWN,
    ),
    "documents.docs": Operation(
        id="showDocs",
        tag="documents",
        summary="This document as a page on which requests can be tried",
        answer="A page.",
        types=("text/html",),
    ),
    "documents.events": Operation(
        id="showEvents",
        tag="documents",
        summary="The events as a page",
        answer="A page.",
        types=("text/html",),
    ),
    "documents.problems": Operation(
        id="listProblems",
        tag="documents",
        summary="List the problem types",
        answer="The problem types, as a page for a browser and as JSON for all others.",
        schema="ProblemTypes",
        types=("application/json", "text/html"),
    ),
    "documents.problem": Operation(
        id="showProblem",
        tag="documents",
        summary="Explain a problem type",
        description="The `type` of a problem is this address.",
        answer="The meaning, the remedy and an example, as a page for a browser and as JSON for all others.",
        schema="ProblemType",
        types=("application/json", "text/html"),
        problems=("not-found",),
    ),
}
# Routes without documentation: files of the pages.
UNDOCUMENTED = {"documents.asset"}
