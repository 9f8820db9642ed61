"""`python -m tests.attacks`: a hostile client and a hundred good ones, at the API and at its gateway."""
