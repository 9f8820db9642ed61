"""Who calls the API, and what that client may do."""
