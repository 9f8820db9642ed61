"""The description of one kind of error."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ProblemType:
    """One kind of error. *meaning* says what happened, *remedy* what the client or its user can do."""

    slug: str
    status: int
    title: str
    meaning: str
    remedy: str
    uri: str = ""  # The `type` of the problem: a registered one, or `/problems/` and the slug.

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", self.uri or f"/problems/{self.slug}")
