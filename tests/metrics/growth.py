"""What the metrics of this process say. Their registry is global, so the tests read how much they grew."""

from orders_service.metrics import REGISTRY

Series = tuple[str, frozenset[tuple[str, str]]]


def series() -> dict[Series, float]:
    """The values of all series."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float | None:
    """The present value of a series; None if there is no such series."""
    return REGISTRY.get_sample_value(name, labels)


class Growth:
    """How much each series has grown since this was made."""

    def __init__(self) -> None:
        self._before = series()

    def of(self, name: str, **labels: str) -> float:
        """The growth of one series. It must exist."""
        now = value(name, **labels)
        assert now is not None, f"there is no {name}{labels}"
        return now - self._before.get((name, frozenset(labels.items())), 0)

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The growth of the series with *labels*, summed up by the value of *label*, where there is any."""
        found: dict[str, float] = {}
        for (its_name, its_labels), now in series().items():
            grown = now - self._before.get((its_name, its_labels), 0)
            if its_name == name and grown and labels.items() <= its_labels:
                by = dict(its_labels)[label]
                found[by] = found.get(by, 0) + grown
        return found
