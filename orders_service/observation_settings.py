"""The settings of what an operator sees: the log, the port for the metrics, and the traces."""

from dataclasses import dataclass

from orders_service.setting_kinds import (
    HOST,
    HTTP_URL,
    host,
    one_of,
    receiver_url,
    setting,
    share,
    text,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class ObservationSettings:
    """The settings of logs, metrics and traces. Those of traces have OpenTelemetry's names."""

    log_level: str = setting(
        "info", one_of("debug", "info", "warning", "error"), "The lowest level that is logged."
    )
    log_format: str = setting(
        "auto",
        one_of("auto", "pretty", "json"),
        "The format of the log: pretty lines, JSON, or pretty on a terminal and JSON elsewhere (auto).",
    )
    log_requests: str = setting(
        "slow",
        one_of("off", "errors", "slow", "all"),
        "Which requests have a line in the API's log: those that were answered with 5xx (errors), these and"
        " those that took longer than a second (slow), or all.",
    )
    metrics_host: str = setting("127.0.0.1", text(HOST, host), "The address that METRICS_PORT listens on.")
    metrics_port: int | None = setting(
        None,
        whole(1, 65535),
        "The port for `/metrics` and `/livez` of this process, which need no token. Unset: none.",
    )
    otel_exporter_otlp_endpoint: str = setting(
        "",
        text(HTTP_URL, receiver_url),
        "The URL of a receiver of traces (OTLP over HTTP), without `/v1/traces`. Unset: no traces.",
    )
    otel_traces_sampler_arg: float = setting(
        0.01,
        share(),
        "The part of the requests without a `traceparent` that is traced.",
    )
    otel_service_name: str = setting("orders-service", text(), "The name of the service in its traces.")
