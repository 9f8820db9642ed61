"""The ports that a process listens on: are they free, and where does the API answer?"""

import errno
import socket

import click

PORTS = range(1, 65536)


class PortTaken(click.ClickException):
    """Another process listens on this port; *other* is a free one.

    *start* is the command to suggest, with `{port}` in it.
    """

    def __init__(self, host: str, port: int, start: str) -> None:
        near = range(port + 1, min(port + 100, PORTS.stop))
        self.other = next((each for each in near if _is_free(host, each)), None) or _bind(host, 0)
        super().__init__(
            f"{host}:{port} is taken by another process. Stop it, or use another port: "
            + start.format(port=self.other)
        )


def require_free_port(host: str, port: int, *, start: str = "API_PORT={port} orders-service api") -> None:
    """Raise `PortTaken` if another process listens on *host*:*port*."""
    try:
        _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port, start) from error
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error


def base_url(host: str, port: int) -> str:
    """The base URL of the API. An IPv6 address is put in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> int:
    """Bind a socket to *host*:*port* and close it. Returns its port: a free one if *port* is 0.

    Raises `OSError`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
