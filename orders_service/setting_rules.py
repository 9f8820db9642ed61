"""Rules across settings: combinations that contradict each other."""

import ipaddress
import os
import ssl
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from itertools import combinations
from typing import Any

from orders_service.database_url import parse
from orders_service.processes import CONSUMERS, SettingName
from orders_service.token_secret import fault_of

PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
OPENTELEMETRY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
OTEL_EXTRA = "the extra `otel`, which is not installed"
INSTALL_OTEL = "pip install 'orders-service[otel]'"


Rule = tuple[bool, str, str, str, str]


def contradictions(
    values: Mapping[str, Any], wrong: Collection[str], used: Collection[str], given: Collection[str]
) -> list[tuple[str, str]]:
    """The first setting of each pair that contradict each other, if it is among the *used* ones; with a line.

    Settings in *wrong*, which are invalid by themselves, are left out. *given* are those that are set.
    """
    same_database = bool(_places(values["orders_database_url"]) & _places(values["catalog_database_url"]))
    same_topic = values["stock_topic"] == values["catalog_topic"]
    sink_is_catalog = values["orders_sink_topic"] == values["catalog_topic"]
    sink_is_stock = values["orders_sink_topic"] == values["stock_topic"]
    too_few = values["topic_min_insync_replicas"] > values["topic_replication"]
    too_soon = values["outbox_keep_days"] <= values["topic_retention_days"]
    same_port = values["metrics_port"] == values["api_port"]
    own, none = "; each needs its own", "; nothing could be sent"
    gone = "; events that a topic has deleted could not be sent again"
    rules = [
        (same_database, "CATALOG_DATABASE_URL", "is the same database as", "ORDERS_DATABASE_URL", own),
        (same_topic, "STOCK_TOPIC", "is the same topic as", "CATALOG_TOPIC", own),
        (sink_is_catalog, "ORDERS_SINK_TOPIC", "is the same topic as", "CATALOG_TOPIC", own),
        (sink_is_stock, "ORDERS_SINK_TOPIC", "is the same topic as", "STOCK_TOPIC", own),
        *_of_groups(values, own),
        (same_port, "API_PORT", "is the same port as", "METRICS_PORT", own),
        (too_soon, "OUTBOX_KEEP_DAYS", "is not longer than", "TOPIC_RETENTION_DAYS", gone),
        (too_few, "TOPIC_MIN_INSYNC_REPLICAS", "is larger than", "TOPIC_REPLICATION", none),
        *_of_kafka(values),
        *_of_identity(values, given, wrong),
        *_of_traces(values),
    ]
    return [
        (one, f"{one} {fault} {other}{so}")
        for broken, one, fault, other, so in rules
        if broken and one in used and not {one, other} & set(wrong)
    ]


def _of_groups(values: Mapping[str, Any], own: str) -> Iterator[Rule]:
    """Each consumer needs its own group: two consumers of one group would each get a part of the records."""
    for first, second in combinations(CONSUMERS, 2):
        one, other = second.group, first.group
        if isinstance(one, SettingName) and isinstance(other, SettingName):
            same = values[one.name.lower()] == values[other.name.lower()]
            yield same, one.name, "is the same group as", other.name, own


def _of_kafka(values: Mapping[str, Any]) -> list[Rule]:
    protocol, user = values["kafka_security_protocol"], ("KAFKA_USERNAME", "KAFKA_PASSWORD")
    certificate, key = "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE"
    with_user, with_tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    used = dict.fromkeys(user, with_user) | dict.fromkeys(("KAFKA_CA_FILE", certificate, key), with_tls)
    given = {name for name in used if values[name.lower()]}
    two, it_is = {certificate, key} & given, f"={protocol}"
    unfit = _misfit(values["kafka_certificate_file"], values["kafka_key_file"]) if len(two) == 2 else ""
    return [
        *((with_user and n not in given, n, "must be set with", PROTOCOL, it_is) for n in user),
        *((n in given and not used[n], n, "has no effect with", PROTOCOL, it_is) for n in used),
        (two == {key}, certificate, "must be set together with", key, ""),
        (two == {certificate}, key, "must be set together with", certificate, ""),
        (bool(unfit), key, "is not the key of", certificate, f": {unfit}"),
    ]


def _of_identity(values: Mapping[str, Any], given: Collection[str], wrong: Collection[str]) -> Iterator[Rule]:
    """The rules of AUTH_MODE and of the keys that it needs."""
    mode, secret, url = "AUTH_MODE", "AUTH_SECRET", "AUTH_JWKS_URL"
    keys = (secret, url, "AUTH_KEYS_FILE", "API_KEYS_FILE")
    having = [name for name in keys if values[name.lower()]]
    is_said, with_tokens = mode in given, values["auth_mode"] == "jwt"
    anybody = ": jwt, or none if anybody who can reach the API may read and cancel anybody's orders"
    yield (
        not is_said and not is_loopback(values["api_host"]),
        *(mode, "must be set with", f"API_HOST={values['api_host']}", anybody),
    )
    for name in having:
        yield not is_said, name, "has no effect without", f"{mode}=jwt", ""
    has_none = not having and not {*keys} & {*wrong}  # An invalid one is reported by itself.
    yield with_tokens and has_none, mode, "is jwt, which needs one of", ", ".join(keys), ""
    for one, other in combinations(keys[:3], 2):
        yield with_tokens and {one, other} <= {*having}, one, "must not be set together with", other, ""
    for name in ("AUTH_ISSUER", "AUTH_AUDIENCE"):
        unchecked = with_tokens and url in having and not values[name.lower()]
        yield unchecked, name, "must be set with", url, ""
    fault = fault_of(values["auth_secret"], values["auth_secret_form"]) if secret in having else ""
    form = f"AUTH_SECRET_FORM={values['auth_secret_form']}"
    yield bool(fault), secret, "cannot be used with", form, f": it {fault}"


def _of_traces(values: Mapping[str, Any]) -> Iterator[Rule]:
    missing = bool(values["otel_exporter_otlp_endpoint"]) and not _is_installed(OPENTELEMETRY)
    yield missing, "OTEL_EXPORTER_OTLP_ENDPOINT", "needs", OTEL_EXTRA, f": {INSTALL_OTEL}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # One of its parents is missing.
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to *host*. Of the names, only `localhost` is known."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _places(url: str) -> set[tuple[object, ...]]:
    """The identities of the database that *url* names: its file, or each of its hosts with the port and name.

    Two URLs of the same database have one in common.
    """
    parsed = parse(url)
    if parsed.is_sqlite:
        return {(os.path.abspath(parsed.first.database or ""),)}
    return {(host, parsed.first.database) for host in parsed.hosts}


def _misfit(certificate: str, key: str) -> str:
    """The reason why the private *key* file does not fit its *certificate* file; empty if it fits."""
    try:
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        return str(error)
    return ""
