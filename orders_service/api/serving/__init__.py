"""The HTTP server: gunicorn with our limits, and the parts of Flask that we made faster."""
