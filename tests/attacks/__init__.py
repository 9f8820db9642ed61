"""`python -m tests.attacks`: one hostile client beside a hundred good ones, at the API and at its gateway."""
