"""Environment variables: which are settings, which settings each process uses, and which are misspelt."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

from orders_service.processes import COMMON_SETTINGS, CONSUMERS, JOURNEY_SETTINGS, PROCESSES, PURGE_SETTINGS

# The settings that each command uses. A name that ends in `_` is a prefix and stands for all settings that
# begin with it. A command that is not in the table uses every setting.
DATABASES = ("ORDERS_DATABASE_URL", "CATALOG_DATABASE_URL", "STATE_DIR")
TOPICS = ("CATALOG_TOPIC", "STOCK_TOPIC", "ORDERS_SINK_TOPIC")
# What a command needs that makes a token.
TOKENS = ("AUTH_SECRET", "AUTH_SECRET_FORM", "AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_SCOPE_CLAIM")
USES: dict[str, Collection[str]] = {
    **{process.command: process.uses for process in PROCESSES},
    "first-order": (*COMMON_SETTINGS, *TOKENS, "ORDERS_DATABASE_URL", "API_HOST", "API_PORT", "AUTH_MODE"),
    "top": (*TOKENS, "API_HOST", "API_PORT", "AUTH_MODE"),
    "token": TOKENS,
    "migrate": DATABASES,
    "topics": (*COMMON_SETTINGS, "TOPIC_"),
    "outbox": (*DATABASES, *TOPICS, *PURGE_SETTINGS, "EVENTS_VIA"),
    "dead-letters": (
        *(*DATABASES, *TOPICS, "EVENTS_VIA"),
        *(name for consumer in CONSUMERS for name in consumer.handler_uses),
    ),
    "orders": ("ORDERS_DATABASE_URL", "STATE_DIR"),
    "journey": (*COMMON_SETTINGS, *DATABASES, *JOURNEY_SETTINGS),  # `orders show --journey`
    "catalog": ("CATALOG_DATABASE_URL", "STATE_DIR"),
    "connectors": ("CONNECT_URL", "EVENTS_VIA"),
}

# How similar a misspelt variable must be to a setting (a ratio of `difflib`): NEAR if both begin with almost
# the same word (`API_…`), VERY_NEAR if not.
NEAR, VERY_NEAR = 0.8, 0.87
# Kubernetes and Docker add variables with such names for every Service or linked container.
LINKS = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)")
OTHERS = ("STATE_DIRECTORY",)  # Set by systemd.
# OpenTelemetry reads these by itself. Its other variables have no effect here.
OTEL = re.compile(
    r"OTEL_(RESOURCE_ATTRIBUTES|SDK_DISABLED|BSP_(MAX_QUEUE_SIZE|MAX_EXPORT_BATCH_SIZE|EXPORT_TIMEOUT)"
    r"|EXPORTER_OTLP_(TRACES_)?(HEADERS|TIMEOUT|COMPRESSION|CERTIFICATE|CLIENT_KEY|CLIENT_CERTIFICATE))"
)
ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def used(process: str, names: Collection[str], *, kafka: bool) -> set[str]:
    """The settings among *names* that *process* uses. Without *kafka*, the prefix `KAFKA_` is left out.

    A process that is not in `USES` uses all of them.
    """
    uses = USES.get(process)
    if uses is None:
        return set(names)
    return {name for name in names if any(_is(name, use) for use in uses if kafka or use != "KAFKA_")}


def _is(name: str, use: str) -> bool:
    return name == use or (use.endswith("_") and name.startswith(use))


def given(
    variables: Mapping[str, str], names: Collection[str], secrets: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return two dicts by setting name: the values that are set, and the problems found.

    Values are stripped of white space. A secret may also be read from the file that `…_FILE` names.
    """
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in names:
        value = variables.get(name)
        path = variables.get(f"{name}_FILE") if name in secrets else None
        if value and path:
            problems[name] = f"{name} and {name}_FILE are both set; keep one"
            continue
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                cause = getattr(error, "strerror", None) or "it is not text in UTF-8"
                problems[name] = f"{name}_FILE names a file that cannot be read: {cause}"
                continue
        if path or value:
            _take(name, value or "", values, problems)
    return values, problems


def _take(name: str, value: str, values: dict[str, str], problems: dict[str, str]) -> None:
    # A space may be part of a password. A line break is not: an editor or `echo` has added it.
    text = value.strip("\r\n") if name.endswith("_PASSWORD") else value.strip()
    if not text:
        problems[name] = f"{name} must have a value, not only blanks"
    elif _is_text(text):
        values[name] = text
    else:
        problems[name] = f"{name} is not text in UTF-8"


def _is_text(value: str) -> bool:
    """Whether *value* was valid UTF-8: Python keeps invalid bytes of a variable as unpaired surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def origin(name: str, value: str) -> str:
    """A hint for a variable that Kubernetes has set: the cause and the remedy. Empty for any other."""
    if not (ADDRESS.match(value) and name.endswith("_PORT")):
        return ""
    service = name.removesuffix("_PORT").lower().replace("_", "-")
    return (
        f". Kubernetes sets {name} for a Service named {service}:"
        " rename the Service, or set enableServiceLinks: false in the pod"
    )


def misspelt(
    variables: Mapping[str, str], names: Collection[str], secrets: Collection[str]
) -> list[tuple[str, str]]:
    """The *variables* that look like a setting in *names* but are not one, each with advice."""
    known = {*names, *(f"{name}_FILE" for name in secrets)}
    found = []
    for variable in sorted(variables.keys() - known):
        value, name = variables[variable], variable.upper()
        if not value or name in OTHERS or any(foreign.fullmatch(name) for foreign in (LINKS, OTEL)):
            continue
        if ADDRESS.match(value):
            continue
        stem = name.removesuffix("_FILE")
        if stem != name and stem in names:
            found.append((variable, f"only secrets can be read from a file; set {stem}"))
        elif near := _nearest(name, known):
            found.append((variable, f"did you mean {near}?"))
    return found


def _nearest(name: str, known: Collection[str]) -> str:
    """The setting that *name* probably means, or an empty string if none is similar enough."""
    if name in known:
        return name
    first, *others = name.split("_")
    same = [other for other in known if get_close_matches(first, [other.partition("_")[0]], 1, 0.8)]
    parts = [other for other in sorted(same, key=len) if others and set(others) <= set(other.split("_")[1:])]
    near = get_close_matches(name, known, 1, VERY_NEAR) or get_close_matches(name, same, 1, NEAR) or parts
    return near[0] if near else ""
