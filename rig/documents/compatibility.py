"""Compares the documents with those of a release: clients and readers rely on all that was released."""

from collections.abc import Iterator
from typing import Any

TEXTS = {"description", "summary", "title", "version", "example", "examples", "info", "tags"}
# A limit may become wider: what was valid stays valid.
GROWING, SHRINKING = {"maximum", "maxLength", "maxItems"}, {"minimum", "minLength"}


def lost(released: Any, now: Any, *, sent: bool = False) -> list[str]:
    """Everything in *released* that *now* does not promise any more, as JSON Pointers with a reason.

    *sent*: the document is a schema of something that others send, so no member may become required. In an
    OpenAPI document, these are the bodies of requests and their parameters.
    """
    bodies = _bodies(released) if "paths" in released else set()
    return [*_lost(released, now, "", bodies, sent), *_required_parameters(released, now)]


def _lost(released: Any, now: Any, path: str, bodies: set[str], sent: bool) -> Iterator[str]:
    if isinstance(released, dict) and isinstance(now, dict):
        for name, value in released.items():
            here = f"{path}/{name}"
            if name in TEXTS and not path.endswith(("/properties", "/paths", "/schemas")):
                continue
            if name not in now:
                yield f"{here} is missing"
            elif name == "required":
                yield from _required(value, now[name], here, sent=sent or here.split("/")[-2] in bodies)
            elif name in GROWING | SHRINKING:
                if (now[name] < value) if name in GROWING else (now[name] > value):
                    yield f"{here} is narrower: {now[name]}, was {value}"
            else:
                yield from _lost(value, now[name], here, bodies, sent)
        if sent and "required" in now and "required" not in released:
            yield f"{path}/required is new"
    elif isinstance(released, list) and isinstance(now, list):
        for item in released:
            if item not in now:
                yield f"{path} lost {item}"
    elif released != now:
        yield f"{path} is {now}, was {released}"


def _required(released: Any, now: Any, path: str, *, sent: bool) -> Iterator[str]:
    if released is True or now is True:
        if sent and now is True and released is not True:
            yield f"{path} became true"
        return
    for name in set(released) - set(now):
        yield f"{path}: {name} may be missing now"
    if sent:
        for name in set(now) - set(released):
            yield f"{path}: {name} is required now"


def _bodies(document: Any) -> set[str]:
    """The names of the schemas that clients send."""
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    contents = [each["requestBody"]["content"] for each in operations if "requestBody" in each]
    refs = [kind["schema"]["$ref"] for content in contents for kind in content.values()]
    return {ref.rpartition("/")[2] for ref in refs}


def _required_parameters(released: Any, now: Any) -> Iterator[str]:
    """Parameters that a released operation requires now, and did not before."""
    parameters = now.get("components", {}).get("parameters", {})
    for path, item in released.get("paths", {}).items():
        for method, operation in item.items():
            before = [each["$ref"] for each in operation.get("parameters", [])]
            for each in now["paths"].get(path, {}).get(method, {}).get("parameters", []):
                name = each["$ref"].rpartition("/")[2]
                if each["$ref"] not in before and parameters[name].get("required"):
                    yield f"{method} {path} requires {name} now"
