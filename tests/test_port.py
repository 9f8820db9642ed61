"""The advice for a port that is taken."""

import socket

import pytest

from orders_service.port import PORTS, PortTaken, require_free_port


def test_the_advice_skips_ports_that_are_taken_too() -> None:
    with (
        socket.create_server(("127.0.0.1", PORTS[-1])),
        socket.create_server(("127.0.0.1", PORTS[-2])),
        pytest.raises(PortTaken) as caught,
    ):
        require_free_port("127.0.0.1", PORTS[-2])

    require_free_port("127.0.0.1", caught.value.other)


def test_the_advice_for_the_highest_port_can_be_followed() -> None:
    with socket.create_server(("127.0.0.1", PORTS[-1])):
        with pytest.raises(PortTaken) as caught:
            require_free_port("127.0.0.1", PORTS[-1])

        assert caught.value.other in PORTS
        require_free_port("127.0.0.1", caught.value.other)
