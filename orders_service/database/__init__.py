"""Engines, transactions, columns and statements for MariaDB and SQLite."""
