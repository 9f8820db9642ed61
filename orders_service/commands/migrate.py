"""`migrate`: both databases at their newest version."""

import click
from sqlalchemy.exc import DBAPIError

from orders_service import migrations, wiring
from orders_service.settings import Settings, of_process


@click.command("migrate")
def main() -> None:
    """Bring both databases to their newest version. Safe to repeat, and to run twice at once."""
    for line in migrate(of_process("migrate")):
        click.echo(line)


def migrate(settings: Settings) -> list[str]:
    """Migrate both databases; a line for each that says what was done."""
    lines = []
    for database, url in wiring.urls(settings).items():
        engine = wiring.engine(url, read_seconds=None, create=True)
        try:
            applied = migrations.upgrade(engine, database)
        except (DBAPIError, TimeoutError) as error:
            cause = getattr(error, "orig", error)
            raise click.ClickException(f"{database} database ({engine.url!r}): {cause}") from error
        finally:
            engine.dispose()
        version = migrations.newest(database)
        lines.append(
            f"{database}: {', '.join(applied)} applied" if applied else f"{database}: at {version} already"
        )
    return lines
