"""gunicorn and everything that makes it fast or bounds it, apart from the application."""
