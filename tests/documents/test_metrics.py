"""docs/metrics.md describes every metric of the package."""

import pkgutil
from importlib import import_module
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase

import orders_service.metrics
from rig.documents.__main__ import ROOT
from rig.documents.metrics import modules, page

PACKAGE = orders_service.metrics


def test_the_page_is_the_one_that_the_code_makes() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == page(), "run make contract, and commit the file"


def test_every_module_with_metrics_is_on_the_page() -> None:
    found = [
        import_module(f"{PACKAGE.__name__}.{each.name}") for each in pkgutil.iter_modules(PACKAGE.__path__)
    ]

    assert {module for module in found if has_metrics(module)} == set(modules())


def has_metrics(module: ModuleType) -> bool:
    """Whether a module of the package makes metrics."""
    return any(isinstance(each, MetricWrapperBase) for each in vars(module).values())
