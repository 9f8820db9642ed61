"""Look for known vulnerabilities in everything that the locks name: `.ci/audit.py LOCK …`.

Exit code 0: all of it was looked up, and each finding is explained in `audit.toml`. 1: that is not so.
5: the database did not answer for all of it, so nothing is known; pip-audit itself would call that clean.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NoReturn

EXPLAINED = Path(__file__).with_name("audit.toml")
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[.*\])?==([^\s;\\]+)")
UNKNOWN = 5


def main(locks: list[str]) -> None:
    """Audit the locks, and say what was found."""
    explained = tomllib.loads(EXPLAINED.read_text()).get("explained", [])
    faults = [entry for entry in explained if not all(entry.get(key) for key in ("id", "reason", "date"))]
    if faults:
        sys.exit(f"{EXPLAINED.name}: each entry needs id, reason and date: {faults[0]}")
    reports = {lock: _ask(lock, _pins(lock)) for lock in locks}
    if problems := judge(reports, explained):
        sys.exit("\n".join(problems))
    count = sum(map(len, reports.values()))
    print(f"{count} pins in {len(locks)} locks: no vulnerability is known but for {len(explained)} explained")


def judge(reports: dict[str, list[dict[str, Any]]], explained: list[dict[str, Any]]) -> list[str]:
    """What nobody has explained, and the explanations that nothing needs any more."""
    problems = []
    needed = set()
    for lock, packages in reports.items():
        for package in packages:
            for finding in package["vulns"]:
                known = {entry["id"] for entry in explained} & {finding["id"], *finding["aliases"]}
                needed |= known
                if not known:
                    mended = ", ".join(finding["fix_versions"]) or "no version yet"
                    where = f"{lock}: {package['name']} {package['version']}"
                    problems.append(f"{where} has {finding['id']}, mended in {mended}")
    stale = [entry["id"] for entry in explained if entry["id"] not in needed]
    return problems + [f"{EXPLAINED.name}: {id_} is not found any more: take it out" for id_ in stale]


def _pins(lock: str) -> list[tuple[str, str]]:
    """The name and the version in each of its lines."""
    pins = []
    for line in Path(lock).read_text().splitlines():
        if not line[:1].strip() or line[0] in "#-":
            continue
        if not (pin := PINNED.match(line)):
            _say_unknown(f"{lock}: not a pin: {line}")
        pins.append((pin[1], pin[2]))
    return pins


def _ask(lock: str, pins: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """What pip-audit says of each pin. Of a lock it would leave out what other systems need."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as bare:
        bare.write("".join(f"{name}=={version}\n" for name, version in pins))
        bare.flush()
        how = ["--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", *how, "--requirement", bare.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        _say_unknown((done.stderr.strip() or f"pip-audit ended with {done.returncode}").splitlines()[-1])
    skipped = sorted({name for name, _ in pins} - {one["name"] for one in report if "vulns" in one})
    if skipped:
        which = "any package" if len(skipped) == len(pins) else ", ".join(skipped)
        _say_unknown(f"the database did not answer for {which} of {lock}")
    return report


def _say_unknown(why: str) -> NoReturn:
    print(f"NOT AUDITED, so nothing is known of vulnerabilities: {why}", file=sys.stderr)
    sys.exit(UNKNOWN)


if __name__ == "__main__":
    main(sys.argv[1:])
