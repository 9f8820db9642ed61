"""Asks for metrics, and reads them."""

import http.client
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from rig import waiting

Samples = dict[tuple[str, ...], float]


def get(port: int, path: str, *, method: str = "GET") -> tuple[int, str]:
    """The status and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=waiting.seconds(10))
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def scrape(port: int) -> Samples:
    """Each sample by its name and its labels' values, in the order of the labels' names."""
    status, text = get(port, "/metrics")
    assert status == 200, text
    return samples(text)


def samples(text: str) -> Samples:
    """The samples of a text that Prometheus would read."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def families(text: str) -> set[str]:
    """The names of the metrics that have at least one sample."""
    lines = text.splitlines()
    heads = (
        line.split()[2] for line, after in pairwise(lines) if line.startswith("# TYPE") and after[0] != "#"
    )
    return set(heads)


def heads(text: str) -> set[str]:
    """The names of all metrics, also of those that have no sample yet."""
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


def answers(port: int) -> bool:
    """Whether the process is alive."""
    try:
        return get(port, "/livez")[0] == 200
    except OSError:
        return False
