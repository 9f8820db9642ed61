"""`docs/http.md` and `requests.http`: the samples with their answers."""

import shlex

from rig.documents.recording import IDS, PORT, Answer, Recording, curl
from rig.documents.samples import SAMPLES, Sample

ABOUT = """\
Every request on this page was sent to a running service (`make run`), and every answer is real. Times are
replaced, and headers that are the same for every answer are left out. `make contract` writes this page, and a
test fails when the service answers otherwise. Your answers differ if you have placed other orders before, and
in their times.

A running service shows [every address with its parameters and limits](http://localhost:8000/docs), where you
can also try requests, and [every problem](http://localhost:8000/problems).
[`requests.http`](../requests.http) has the same requests for editors that can send them.
[Versioning](versioning.md) says what may change.
"""
REQUESTS = """\
# The requests of docs/http.md, for an editor that can send them. `make contract` writes this file.
@host = http://localhost:8000
"""
WIDTH = 100


def page(recording: Recording) -> str:
    """`docs/http.md`."""
    shown = [(sample, answer) for sample, answer in recording.answered if sample.title]
    head = "\n".join(["# HTTP by example\n", *(f"{wrapped(each)}\n" for each in ABOUT.split("\n\n"))])
    return head + "".join(_section(sample, answer) for sample, answer in shown)


def _section(sample: Sample, answer: Answer) -> str:
    lines = [answer.line.rstrip(), *(f"{name}: {value}" for name, value in answer.headers), ""]
    text = f"\n{wrapped(sample.text)}\n" if sample.text else ""
    body = answer.body.rstrip("\n")
    shown = "\n".join([*lines, body]).rstrip("\n")
    return f"\n## {sample.title}\n{text}\n```console\n$ {command(sample)}\n{shown}\n```\n"


def command(sample: Sample) -> str:
    """The curl command as a person types it, on several lines if it is long."""
    words = [word if _is_plain(word) else shlex.quote(word) for word in curl(sample, PORT)]
    parts = [words[0]]
    for word in words[1:]:
        if word in ("-H", "-d"):
            parts.append(word)
        else:
            parts[-1] += f" {word}"
    one = " ".join(parts)
    return one if len(one) <= WIDTH else " \\\n    ".join(parts)


def requests() -> str:
    """`requests.http`, for the HTTP clients of editors."""
    text = REQUESTS
    for sample in SAMPLES:
        if sample.title:
            target = sample.target.format(**IDS)
            lines = [f"\n### {sample.title}", f"{sample.method} {{{{host}}}}{target}", *sample.headers]
            text += "\n".join([*lines, *(["", sample.body] if sample.body else [])]) + "\n"
    return text


def _is_plain(word: str) -> bool:
    return not any(each in word for each in " '\"&{}?")


def wrapped(text: str) -> str:
    """*text* in lines of at most 120 characters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > 120:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)
