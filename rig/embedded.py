"""A new service on embedded databases and an embedded log, as `migrate` and `topics create` leave it."""

from collections.abc import Mapping

from orders_service import resources
from orders_service.broker_client import broker, topic_spec
from orders_service.settings import Settings
from rig.databases import Databases


def prepare(environment: Mapping[str, str]) -> None:
    """Migrate the databases and create the topics of these settings, without starting a process."""
    settings = Settings.read(environment)
    databases = Databases(settings.orders_database_url, settings.catalog_database_url)
    databases.migrate()
    databases.dispose()
    broker(settings, create=True).create_topics(resources.topics(settings).names, topic_spec(settings))
