"""Requests of every kind, as bytes: one third are orders that must be taken, the rest is anything at all."""

import random
import string as letters
from dataclasses import dataclass

from tests.generated import oddities, texts

QTY_MAX, PRICE_MAX, TOTAL_MAX = 10_000, 100_000_000, 2**31 - 1
NAMES = ("productId", "qty", "unitPrice")
UNREAD_MAX = 30_000
TRACE = "00-{:032x}-{:016x}-01"


@dataclass(frozen=True)
class Sent:
    """A request. *order*: it must be taken, and mean this. *framed*: it ends where it says."""

    raw: bytes
    framed: bool
    order: "Order | None" = None


@dataclass(frozen=True)
class Order:
    """What an order's request means."""

    user: str
    product: str
    qty: int
    price: int
    trace: str | None


def request(chance: random.Random) -> Sent:
    """The next request."""
    kinds = (_order, _order, _order, _fields, _body, _headers, _line, _lengths, _mutated)
    return chance.choice(kinds)(chance)


def _order(chance: random.Random) -> Sent:
    user, product = texts.name(chance, 255, without="/"), texts.name(chance, 120)
    qty = chance.choice((1, QTY_MAX, chance.randint(1, QTY_MAX)))
    price = chance.choice((0, chance.randint(0, min(PRICE_MAX, TOTAL_MAX // qty))))
    trace = TRACE.format(chance.getrandbits(128), chance.getrandbits(64)) if chance.random() < 0.3 else None
    body = _object(chance, product, qty, price)
    headers = [(b"traceparent", trace.encode())] if trace else []
    if chance.random() < 0.3:
        headers.append((b"Idempotency-Key", _key(chance)))
    if chance.random() < 0.1:
        headers.append((b"Prefer", chance.choice(oddities.PREFERENCES)))
    return Sent(
        _post(chance, texts.quoted(chance, user), headers, body),
        True,
        Order(user, product, qty, price, trace),
    )


def _fields(chance: random.Random) -> Sent:
    """One or two members are wrong, missing, given twice or too much."""
    pairs = [(b"productId", b'"CATALOG-001"'), (b"qty", b"1"), (b"unitPrice", b"1")]
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(pairs))
        match chance.randrange(5):
            case 0:
                pairs.append((pairs[at][0], chance.choice(oddities.VALUES)))
            case 1 if len(pairs) > 1:
                del pairs[at]
            case 2:
                pairs.append(
                    (_any(chance, 12).replace(b'"', b"").replace(b"\\", b""), chance.choice(oddities.VALUES))
                )
            case _:
                pairs[at] = (pairs[at][0], chance.choice(oddities.VALUES))
    body = b"{" + b",".join(b'"%s":%s' % pair for pair in pairs) + b"}"
    return Sent(_post(chance, b"kim", [], body), True)


def _body(chance: random.Random) -> Sent:
    """The body is another, or cut, or any bytes."""
    whole = _object(chance, texts.name(chance, 120), 1, 1)
    cut = chance.randrange(len(whole))
    body = chance.choice(
        (
            chance.choice(oddities.BODIES),
            whole[:cut],
            whole[:cut] + _any(chance, 8) + whole[cut:],
            _any(chance, 300),
        )
    )
    types = [(b"Content-Type", chance.choice(oddities.TYPES))] if chance.random() < 0.3 else []
    # A body that nobody reads to its end takes the connection with it.
    return Sent(_post(chance, b"kim", types, body), len(body) < UNREAD_MAX)


def _headers(chance: random.Random) -> Sent:
    """Fields of any name and value, some of them many or long; keys and traces that are none."""
    headers: list[tuple[bytes, bytes]] = []
    for _ in range(chance.choice((1, 1, 2, 3, 60))):
        known = chance.choice(oddities.FIELDS)
        value = chance.choice((_any(chance, 40), _key(chance), chance.choice(oddities.FIELD_VALUES)))
        headers.append((known if chance.random() < 0.8 else _any(chance, 10), value))
    return Sent(_post(chance, b"kim", headers, _object(chance, "CATALOG-001", 1, 1)), False)


def _line(chance: random.Random) -> Sent:
    """Another method, path or version."""
    method = chance.choice(oddities.METHODS) if chance.random() < 0.5 else chance.choice((b"GET", b"POST"))
    path = (
        chance.choice(oddities.PATHS)
        if chance.random() < 0.7
        else b"/order-service/" + _path(chance) + b"/orders"
    )
    version = chance.choice(oddities.VERSIONS) if chance.random() < 0.3 else b"HTTP/1.1"
    body = _object(chance, "CATALOG-001", 1, 1) if chance.random() < 0.5 else b""
    framing = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    return Sent(b"%s %s %s\r\nHost: x\r\n%s\r\n" % (method, path, version, framing) + body, False)


def _lengths(chance: random.Random) -> Sent:
    """The body ends elsewhere than its head says, or in chunks that are broken."""
    body = _object(chance, "CATALOG-001", 1, 1)
    if chance.random() < 0.5:
        lie = chance.choice((chance.choice(oddities.LENGTHS), b"%d" % (len(body) + chance.randint(-9, 9))))
        twice = b"Content-Length: %d\r\n" % len(body) if chance.random() < 0.3 else b""
        framing, sent = b"Content-Length: %s\r\n%s" % (lie, twice), body
    else:
        coding = chance.choice(oddities.CODINGS) if chance.random() < 0.5 else b"chunked"
        length = b"Content-Length: %d\r\n" % len(body) if chance.random() < 0.2 else b""
        framing, sent = b"Transfer-Encoding: %s\r\n%s" % (coding, length), _chunks(chance, body)
        if chance.random() < 0.7:
            sent = _spoilt(chance, sent, 2)
    head = b"POST /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return Sent(head + framing + b"\r\n" + sent, False)


def _mutated(chance: random.Random) -> Sent:
    """An order of which some bytes were changed, removed, repeated or cut off."""
    return Sent(_spoilt(chance, _order(chance).raw, chance.randint(1, 5)), False)


def _spoilt(chance: random.Random, raw: bytes, times: int) -> bytes:
    for _ in range(times):
        at = chance.randrange(len(raw) + 1)
        to = min(len(raw), at + chance.choice((1, 1, 2, 8)))
        match chance.randrange(6):
            case 0:
                raw = raw[:at] + _any(chance, 3) + raw[at:]
            case 1:
                raw = raw[:at] + raw[to:]
            case 2:
                raw = raw[:at] + raw[at:to] * 2 + raw[to:]
            case 3 if chance.random() < 0.2:
                raw = raw[:at]
            case _:
                raw = raw[:at] + _any(chance, 1) + raw[at + 1 :]
    return raw


def _post(chance: random.Random, user: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A POST with right framing: of a known length or in chunks."""
    if b"Content-Type" not in dict(headers):
        headers = [*headers, (b"Content-Type", b"application/json")]
    if chance.random() < 0.2:
        headers, body = [*headers, (b"Transfer-Encoding", b"chunked")], _chunks(chance, body)
    else:
        headers = [*headers, (b"Content-Length", b"%d" % len(body))]
    lines = b"".join(b"%s: %s\r\n" % header for header in [(b"Host", b"x"), *headers])
    return b"POST /order-service/%s/orders HTTP/1.1\r\n%s\r\n" % (user, lines) + body


def _chunks(chance: random.Random, body: bytes) -> bytes:
    sent = b""
    while body:
        size = chance.randint(1, max(1, len(body) // chance.choice((1, 3, 8))))
        sent += b"%x%s\r\n%s\r\n" % (size, chance.choice((b"", b"", b";a=b")), body[:size])
        body = body[size:]
    return sent + b"0\r\n\r\n"


def _object(chance: random.Random, product: str, qty: int, price: int) -> bytes:
    values = (texts.string(chance, product), str(qty), str(price))
    return texts.members(chance, list(zip(NAMES, values, strict=True)))


def _key(chance: random.Random) -> bytes:
    signs = [sign for sign in letters.printable.strip() if sign not in '",']
    key = "".join(chance.choices(signs, k=chance.choice((8, 36, 255)))).encode()
    return b'"%s"' % key if chance.random() < 0.3 else key


def _path(chance: random.Random) -> bytes:
    return b"".join(
        chance.choice(
            (b"%%%02x" % chance.randrange(256), b"%", b"a", b"/", b".", b"\\", b"%u0041", b"?", b";")
        )
        for _ in range(chance.randint(0, 12))
    )


def _any(chance: random.Random, most: int) -> bytes:
    """Any bytes, those that mean something more often than others."""
    return b"".join(
        chance.choice(oddities.BYTES) if chance.random() < 0.5 else bytes([chance.randrange(256)])
        for _ in range(chance.randint(1, most))
    )
