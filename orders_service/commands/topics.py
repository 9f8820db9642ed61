"""`topics create|list|describe`: the only command that creates topics, besides `run`."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from orders_service import resources
from orders_service.broker_client import broker, topic_spec
from orders_service.commands.output import print_json
from orders_service.events.brokers.port import BrokerError, TopicDescription
from orders_service.printable import printable
from orders_service.settings import of_process

T = TypeVar("T")


@click.group("topics")
def main() -> None:
    """Create, list or describe the topics."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def create(as_json: bool) -> None:
    """Create the topics of the settings that do not exist. Safe to repeat."""
    settings = of_process("topics")
    names = list(resources.topics(settings).names)
    created = _asked(lambda: broker(settings, create=True).create_topics(names, topic_spec(settings)))
    if as_json:
        print_json({"name": name, "created": name in created} for name in names)
        return
    for name in names:
        click.echo(f"{name}: {'created' if name in created else 'exists'}")


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(as_json: bool) -> None:
    """Print the topics' names."""
    topics = _described()
    if as_json:
        print_json({"name": topic.name} for topic in topics)
        return
    for topic in topics:
        click.echo(printable(topic.name))


@main.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def describe(names: tuple[str, ...], as_json: bool) -> None:
    """Print topics with their partitions and settings.

    Without a name, it prints all topics.
    """
    known = {topic.name: topic for topic in _described()}
    if missing := [name for name in names if name not in known]:
        raise click.ClickException(f"topic {', '.join(missing)} does not exist")
    topics = [known[name] for name in names or known]
    if as_json:
        print_json(map(_as_json, topics))
        return
    for topic in topics:
        settings = "".join(f"  {name}={value}" for name, value in sorted(topic.settings.items()))
        line = f"{topic.name}  partitions={topic.partitions}  replication={topic.replication}{settings}"
        click.echo(printable(line))


def _as_json(topic: TopicDescription) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "replication": topic.replication,
        "inSync": topic.in_sync,
        "settings": dict(topic.settings),
    }


def _described() -> list[TopicDescription]:
    return _asked(lambda: broker(of_process("topics")).describe_topics())


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except BrokerError as error:
        raise click.ClickException(str(error)) from error
