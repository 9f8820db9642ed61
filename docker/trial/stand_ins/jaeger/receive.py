"""Takes traces by OTLP over HTTP on port 4318, and answers for them on port 16686, as Jaeger's API does.

It reads only what a test needs: the trace id and the name of each span.
"""

import json
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TRACES_MAX = 1000
BODY_MAX = 4 * 1024 * 1024
# Numbers of fields in OpenTelemetry's protobuf. A request has resource spans; those have scope spans, and
# those have spans.
RESOURCE_SPANS, SCOPE_SPANS, SPANS = 1, 2, 2
TRACE_ID, NAME = 1, 5

names: dict[str, list[str]] = defaultdict(list)
newest: deque[str] = deque()
mutex = threading.Lock()


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The number and the value of each field: bytes, or a number."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while place < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        yield number, message[place : place + size]
        place += size


def keep(body: bytes) -> None:
    """Keep the names of the spans of a request."""
    for group in (value for number, value in fields(body) if number == RESOURCE_SPANS):
        for scope in (value for number, value in fields(group) if number == SCOPE_SPANS):
            for span in (dict(fields(value)) for number, value in fields(scope) if number == SPANS):
                note(span[TRACE_ID].hex(), span[NAME].decode())


def note(trace: str, name: str) -> None:
    with mutex:
        if trace not in names:
            newest.append(trace)
        names[trace].append(name)
        while len(newest) > TRACES_MAX:
            del names[newest.popleft()]


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing but errors."""

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Receiver(Answers):
    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        if self.path != "/v1/traces" or size > BODY_MAX:
            return self.answer(404)
        keep(self.rfile.read(size))
        return self.answer(200)


class Query(Answers):
    def do_GET(self) -> None:
        trace = self.path.removeprefix("/api/traces/")
        with mutex:
            spans = [{"traceID": trace, "operationName": name} for name in names.get(trace, ())]
        if not spans:
            return self.answer(404, b'{"data":null}')
        return self.answer(200, json.dumps({"data": [{"traceID": trace, "spans": spans}]}).encode())


if __name__ == "__main__":
    (_, configuration) = sys.argv[1].split("=")
    assert "jaeger_storage" in Path(configuration).read_text()
    receiver = ThreadingHTTPServer(("", 4318), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 16686), Query).serve_forever()
