"""The endpoints for operators: `/admin`."""
