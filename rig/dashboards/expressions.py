"""The expressions that several panels use. `$__rate_interval` is Grafana's: at least four scrapes."""

from rig.dashboards.panels import Series

WINDOW = "$__rate_interval"


def rate(counter: str, *, by: str = "", where: str = "") -> str:
    """Increments a second, summed over all processes."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({counter}{{{where}}}[{WINDOW}]))"


def quantile(share: float, histogram: str, *, by: str = "", where: str = "") -> str:
    """The value that this share of the observations does not exceed."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', by=labels, where=where)})"


def quantiles(histogram: str, *, where: str = "") -> Series:
    """The median, the 95th and the 99th percentile."""
    return {
        "median": quantile(0.5, histogram, where=where),
        "95 %": quantile(0.95, histogram, where=where),
        "99 %": quantile(0.99, histogram, where=where),
    }


def mean(histogram: str, *, where: str = "") -> str:
    """The mean of the observations."""
    return f"{rate(f'{histogram}_sum', where=where)} / {rate(f'{histogram}_count', where=where)}"


def or_zero(expr: str) -> str:
    """The expression, or 0 if it has no series: an error that never happened has none."""
    return f"({expr}) or vector(0)"
