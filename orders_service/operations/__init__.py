"""The operator's views and actions, for `/admin` and for the commands. Nothing here knows HTTP."""
