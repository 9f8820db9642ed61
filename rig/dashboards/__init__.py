"""The dashboards of `docker/observability/dashboards/`, as code: so each expression can be tested.

`make dashboards` writes them.
"""
