"""The arguments of commands keep the API's rules for names."""

import click
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from orders_service.api.requests import KeyText
from orders_service.commands import arguments

MOST = 6
COMMAND = click.Command("name")
TEXTS = st.text(st.characters() | st.sampled_from(" .\n\x1b\ud800"), max_size=MOST + 2)


@given(value=TEXTS)
def test_a_text_is_accepted_if_the_api_accepts_it(value: str) -> None:
    try:
        expected = KeyText(MOST).deserialize(value)
    except ValidationError:
        expected = None

    try:
        found = arguments.text(MOST)(click.Context(COMMAND), click.Argument(["name"]), value)
    except click.BadParameter:
        found = None

    assert found == expected
