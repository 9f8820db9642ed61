"""An issuer of tokens, with an HTTP server for its keys."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.api.identity.kit import AUDIENCE, ISSUER, jwk, key_set, token


@dataclass
class Issuer:
    """Signs tokens with its newest key, and publishes its keys until it is *down*."""

    url: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    down: bool = False
    body: bytes | None = None  # What it answers instead of its keys.

    def rotate(self) -> None:
        """Sign with a new key from now on. The old ones stay published."""
        self.keys[f"key-{len(self.keys)}"] = ec.generate_private_key(ec.SECP256R1())

    def stop(self) -> None:
        """Answer 503 from now on."""
        self.down = True

    def token(self, **changed: Any) -> str:
        """A token that is signed with the newest key."""
        name, key = list(self.keys.items())[-1]
        return token(key, "ES256", headers={"kid": name}, **({"iss": ISSUER, "aud": AUDIENCE} | changed))

    def answer(self) -> tuple[int, bytes]:
        self.asked += 1
        if self.down:
            return 503, b""
        if self.body is not None:
            return 200, self.body
        return 200, key_set(*(jwk(key, "ES256", kid=name) for name, key in self.keys.items()))

    @property
    def environment(self) -> dict[str, str]:
        """The settings of an API that accepts its tokens."""
        return {
            "AUTH_MODE": "jwt",
            "AUTH_JWKS_URL": self.url,
            "AUTH_ISSUER": ISSUER,
            "AUTH_AUDIENCE": AUDIENCE,
        }


@contextmanager
def running_issuer(certificate: tuple[Path, Path] | None = None) -> Iterator[Issuer]:
    """An issuer with one key, whose server answers until the block ends: over TLS with a *certificate*."""
    issuer = Issuer()
    issuer.rotate()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "/keys")
                self.end_headers()
                return
            status, body = issuer.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        issuer.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/keys"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()
