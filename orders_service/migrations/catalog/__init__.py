"""The migrations of the catalog database."""
