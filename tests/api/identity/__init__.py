"""Who may call the API, and what that client may do."""
