"""The OpenAPI document: the app's routes with the texts of `operations.py` and recorded examples."""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from werkzeug.routing import Rule

from orders_service import __version__
from orders_service.api import routes
from orders_service.api.app import PARAMETERS
from orders_service.contract.problems import MEDIA_TYPE, PROBLEMS, ProblemType
from rig.documents import components, letters, parameters
from rig.documents.identity import SCHEMES, of_tokens, security
from rig.documents.operation import ALWAYS, TAGS, Operation
from rig.documents.operations import OPERATIONS
from rig.documents.recording import Recording
from rig.documents.support import UNDOCUMENTED

Object = dict[str, Any]

# Components that were released under another name.
RELEASED = {"admin.list_orders.status": "admin.index.status"}
QUERY = parameters.QUERY | letters.PARAMETERS

ABOUT = """\
Orders over HTTP. A placed order is PENDING; the catalog confirms or rejects it through [events](/events).

Errors are problem details (RFC 9457). The `type` of a problem is an address that [explains it](/problems).
An unknown field or query parameter is an error, and nothing is written. `Accept` is never a reason to refuse.
Every answer has the header `X-Request-Id`: the id that the client sent, or a new one.
HEAD works wherever GET does. If the deployment limits requests, answers have the header `RateLimit`.
"""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def openapi(recording: Recording) -> Object:
    """The whole document. Raises `KeyError` for a route or parameter that has no description."""
    paths: Object = {}
    seen: set[str] = set()
    for rule in recording.rules:
        if rule.endpoint not in UNDOCUMENTED:
            path = paths.setdefault(path_of(rule), {})
            for method in sorted(set(METHODS) & (rule.methods or set())):
                path[method.lower()] = _operation(rule, recording, is_alias=rule.endpoint in seen)
            seen.add(rule.endpoint)
    order = [operation.tag for operation in OPERATIONS.values()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders service",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": tag, "description": TAGS[tag]} for tag in dict.fromkeys(order)],
        "paths": paths,
        "components": {
            "securitySchemes": SCHEMES,
            "schemas": components.schemas(),
            "parameters": _parameters(),
            "headers": parameters.ANSWERED,
            "responses": {"other-problem": _other_problem()} | _responses(),
            "examples": _problem_examples(recording),
        },
    }


def path_of(rule: Rule) -> str:
    """The path template of a rule: `/order-service/{userId}/orders`."""
    return routes.path_of(rule.rule)


def _operation(rule: Rule, recording: Recording, *, is_alias: bool) -> Object:
    text = OPERATIONS[rule.endpoint]
    found: Object = {"tags": [text.tag], "summary": text.summary}
    if not is_alias:
        found["operationId"] = text.id
    if text.description:
        found["description"] = text.description
    found["security"] = security(rule.endpoint)
    if used := _used(rule, text):
        found["parameters"] = used
    if text.body:
        content = {"schema": {"$ref": f"#/components/schemas/{text.body}"}}
        if examples := recording.bodies(rule.endpoint):
            content["examples"] = examples
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    found["responses"] = {str(text.status): _answer(rule.endpoint, text, recording)}
    found["responses"] |= {str(status): {"description": about} for status, about in text.empty.items()}
    found["responses"] |= {str(status): _described_json(about, text) for status, about in text.others.items()}
    found["responses"] |= _problem_responses((*text.problems, *of_tokens(rule)))
    found["responses"]["default"] = {"$ref": "#/components/responses/other-problem"}
    return found


def _used(rule: Rule, text: Operation) -> list[Object]:
    in_path = re.findall(r"<(?:\w+:)?(\w+)>", rule.rule)
    names = [f"path.{parameters.PATH[name]['name']}" for name in in_path]
    names += [_component(_described(rule.endpoint, name)) for name in PARAMETERS.get(rule.endpoint, ())]
    names += [f"header.{name}" for name in text.parameters]
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _parameters() -> Object:
    paths = [{"in": "path", "required": True, **each} for each in parameters.PATH.values()]
    names = {_described(endpoint, name): name for endpoint, used in PARAMETERS.items() for name in used}
    query = {_component(key): {"in": "query", "name": name, **QUERY[key]} for key, name in names.items()}
    headers = [{"in": "header", "name": name, **each} for name, each in parameters.HEADERS.items()]
    return {f"{each['in']}.{each['name']}": each for each in (*paths, *headers)} | query


def _component(key: str) -> str:
    """The name of a query parameter's component, as the released document has it."""
    return f"query.{RELEASED.get(key, key)}"


def _described(endpoint: str, name: str) -> str:
    """The key in `QUERY` of a parameter of an endpoint."""
    return f"{endpoint}.{name}" if f"{endpoint}.{name}" in QUERY else name


def _answer(endpoint: str, text: Operation, recording: Recording) -> Object:
    found: Object = {"description": text.answer}
    if text.headers:
        found["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in text.headers}
    found["content"] = {}
    for kind in text.types:
        is_json = kind.endswith("json")
        schema = {"$ref": f"#/components/schemas/{text.schema}"} if is_json else {"type": "string"}
        found["content"][kind] = {"schema": schema}
        if is_json and (examples := recording.answers(endpoint, text.status)):
            found["content"][kind]["examples"] = examples
    return found


def _described_json(about: str, text: Operation) -> Object:
    schema = {"$ref": f"#/components/schemas/{text.schema}"}
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _problem_responses(slugs: tuple[str, ...]) -> Object:
    kinds = sorted((PROBLEMS[slug] for slug in dict.fromkeys(slugs)), key=lambda kind: kind.status)
    found = {}
    for status, group in groupby(kinds, key=lambda kind: kind.status):
        several = list(group)
        one = {"$ref": f"#/components/responses/{several[0].slug}"}
        found[str(status)] = one if len(several) == 1 else _problem_response(several)
    return found


def _problem_response(kinds: list[ProblemType]) -> Object:
    descriptions = [f"{kind.title}. {kind.meaning}" for kind in kinds]
    names = dict.fromkeys(name for kind in kinds for name in parameters.OF_PROBLEMS.get(kind.slug, ()))
    found: Object = {"description": "\n\n".join(descriptions)}
    if names:
        found["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    examples = {kind.slug: {"$ref": f"#/components/examples/{kind.slug}"} for kind in kinds}
    schema = {"$ref": "#/components/schemas/Problem"}
    return found | {"content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}


def _responses() -> Object:
    """The response of each problem type, by its slug."""
    return {slug: _problem_response([kind]) for slug, kind in PROBLEMS.items()}


def _other_problem() -> Object:
    lines = "".join(
        f"\n* {kind.status}: [{kind.title}](/problems/{kind.slug})"
        for kind in map(PROBLEMS.__getitem__, ALWAYS)
    )
    return {
        "description": f"Problems that every operation may answer:\n{lines}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _problem_examples(recording: Recording) -> Mapping[str, Object]:
    return {
        slug: {"summary": kind.title, "value": recording.problem(kind)} for slug, kind in PROBLEMS.items()
    }
