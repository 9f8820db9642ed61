"""Every reason of a rejection has words, which are the same in a terminal and on the page."""

import re

from orders_service.contract.events import Reason
from orders_service.operations.reasons import WORDS, in_words
from orders_service.ui.files import FOLDER


def test_each_reason_has_the_same_words_on_the_page() -> None:
    table = (FOLDER / "words.js").read_text().partition("const REASONS = {")[2].partition("};")[0]

    on_the_page = dict(re.findall(r'"?([a-z-]+)"?: "(.*)",', table))

    assert on_the_page == WORDS
    assert WORDS.keys() == set(Reason)


def test_a_reason_is_said_in_words_with_its_code() -> None:
    assert in_words("insufficient-stock") == "not enough in stock (insufficient-stock)"
    assert in_words("of-another-catalog") == "of-another-catalog"
    assert in_words(None) == "no reason"
