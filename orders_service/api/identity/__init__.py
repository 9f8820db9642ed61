"""Authentication and authorization: the client of a request, and its scopes."""
