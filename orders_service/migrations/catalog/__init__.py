"""The versions of the catalog database."""
