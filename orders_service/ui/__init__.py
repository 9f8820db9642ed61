"""The operator's page at `/ui`: one shell without data, and the files that draw it from `/admin`."""
