"""The header `Prefer` is read as RFC 7240 demands."""

import time

import pytest

from orders_service.api.preferences import wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=10", 10),
        ("WAIT = 10", 10),
        ('wait="10"', 10),
        (r'wait="1\0"', 10),
        ("respond-async, wait=10", 10),
        ("respond-async,wait=10,handling=lenient", 10),
        (',, wait=10 ; foo; bar="a,b" ,', 10),
        ('foo="a, wait=3"; bar, wait=10', 10),
        ("foo; wait=3, wait=10", 10),
        ("wait=10, wait=20", 10),
        ("wait=1", 1),
        ("wait=030", 30),
        ("wait=31", 30),
        ("wait=" + "9" * 2000, 30),
        ("wait=" + "9" * 8000, 30),
        ("wait=" + "0" * 8000 + "3", 3),
        ("wait=" + "0" * 8000, 0),
        ("wait=0", 0),
        ("wait=x, wait=5", 0),
        ("wait", 0),
        ("wait=", 0),
        ('wait=""', 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("waiting=5", 0),
        ("foo; wait=3", 0),
        ('foo="a, wait=3', 0),
        ("<>, wait=3", 0),
        ("", 0),
    ],
)
def test_the_first_wait_counts_and_what_is_unknown_or_malformed_is_ignored(header: str, seconds: int) -> None:
    assert wait_seconds(header) == seconds


@pytest.mark.parametrize("part", [" ", ",", ";", "a;", '"', '\\"', "= ", "a = "])
def test_no_header_takes_long(part: str) -> None:
    began = time.process_time()

    for begin in ("a=", "a,", ""):
        for end in ("", '"', "<"):
            wait_seconds(begin + part * 100_000 + end)

    assert time.process_time() - began < 5  # A quadratic search would take minutes.
