"""The reasons for which a client is refused."""

from collections.abc import Collection


class IdentityError(Exception):
    """The client has not proved who it is, or may not do this. The text says why."""


class Unauthorized(IdentityError):
    """The request has no token or API key."""


class InvalidToken(Unauthorized):
    """The request has a token or an API key that cannot be accepted."""


class KeysUnavailable(IdentityError):
    """The token cannot be checked now: the keys of its issuer were never fetched."""


class NotYourOrders(IdentityError):
    """The path names another user than the client."""


class InsufficientScope(IdentityError):
    """The client does not have *scope*; it has *scopes*."""

    def __init__(self, scope: str, scopes: Collection[str]) -> None:
        has = " and ".join(sorted(scopes)) or "none"
        super().__init__(f"This request needs the scope {scope}. The client has {has}.")
        self.scope = scope


class HostNotAllowed(IdentityError):
    """Without authentication, this address answers only to the names of this machine and to UI_HOSTS."""
