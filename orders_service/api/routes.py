"""The path template of a route, as the documents, metrics, logs and traces show it."""

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def path_of(rule: str) -> str:
    """The path template of a rule: `/order-service/{userId}/orders`."""
    return re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", lambda found: f"{{{_camel_case(found[1])}}}", rule)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))
