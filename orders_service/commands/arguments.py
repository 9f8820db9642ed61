"""Arguments of commands: texts by the API's rules for names, and numbers that may be negative."""

import re
from collections.abc import Callable
from typing import Any

import click
from marshmallow import ValidationError

from orders_service.api.requests import KeyText
from orders_service.setting_kinds import http_url

NEGATIVE = re.compile(r"-+[0-9]+([.,_]?[0-9])*")

Callback = Callable[[click.Context, click.Parameter, str | None], str | None]


def text(most: int) -> Callback:
    """A callback for a text of at most *most* characters, with the API's rules for names."""
    field = KeyText(most)

    def check(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return field.deserialize(value)
        except ValidationError as error:
            raise click.BadParameter(f"it {error.messages[0]}") from None

    return check


def http_address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check the value of --url; raise `BadParameter` if it is not an http:// or https:// URL."""
    if value is None:
        return None
    try:
        http_url(value)
    except ValidationError as error:
        raise click.BadParameter(f"{error.messages[0]}, for example http://127.0.0.1:8000") from error
    return value


class NegativeNumbers(click.Command):
    """A command that takes `-3` for a number, and not for an option.

    click can only ignore every unknown option. So the others are refused here, as click would refuse them.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        known = {name for option in options for name in option.opts}
        with_value = {name for option in options if not option.is_flag for name in option.opts}
        for before, word in zip(["", *args], args, strict=False):
            if word == "--":
                break
            name = word.partition("=")[0]
            is_option = len(word) > 1 and word.startswith("-") and before not in with_value
            if is_option and name not in known and not NEGATIVE.fullmatch(word):
                raise click.NoSuchOption(name, possibilities=sorted(known), ctx=ctx)
        ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)


class Delivered(click.IntRange):
    """A number of pieces that are delivered: at least 1. The message for a smaller one names `correct`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if NEGATIVE.fullmatch(str(value)) or value == "0":
            advice = (
                "A delivery has at least 1 piece. To lower the stock, use: orders-service catalog correct"
            )
            self.fail(f"{value} is not a number of pieces that can be delivered. {advice}", param, ctx)
        return super().convert(value, param, ctx)


class Difference(click.ParamType):  # type: ignore[type-arg]
    """A number of pieces with a sign: `-3` for three less, `+3` for three more.

    Without a sign, a forgotten minus would raise the stock.
    """

    name = "difference"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not re.fullmatch(r"[+-][0-9]{1,10}", value) or not 1 <= abs(int(value)) <= self._most:
            wanted = f"-3 for three pieces less or +3 for three more; at most {self._most} pieces"
            self.fail(f"{value!r} is not a difference with its sign. Write {wanted}.", param, ctx)
        return int(value)
