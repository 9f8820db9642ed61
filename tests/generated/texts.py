"""Texts that programs have stumbled over, and JSON in which they are written in every way that is allowed."""

import json
import random
import unicodedata

FRAGMENTS = [
    "'",
    '"',
    "\\",
    "\\'",
    "''",
    "%",
    "%s",
    "%(a)s",
    ":a",
    "?",
    "`",
    ";",
    "--",
    "/*",
    "*/",
    "#",
    "{}",
    "${a}",
    "<b>",
    "&amp;",
    "'; DROP TABLE orders; -- ",
    "\\'; COMMIT; END -- ",
    "' OR ''='",
    "\\x00",
    "\\0",
    "NULL",
    "null",
    "true",
    "0",
    "-1",
    "1e9",
    "é",
    "e\u0301",
    "ß",
    "İ",
    "ı",
    "ſ",
    "한국어",
    "日本",
    "שלום",
    "\u202eabc",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u00a0",
    "\u2028",
    "\ufffd",
    "\uffff",
    "\U0001f4a1",
    "\U0001f468\u200d\U0001f469",
    "\U0010ffff",
    "\U00020000",
    " ",
    "  ",
    "a ",
    "A",
    "a",
    "..",
    "~",
    "+",
]
UNNEEDED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@")


def character(chance: random.Random) -> str:
    """Any character that is no control character and no surrogate."""
    while True:
        most = chance.choice((0x7F, 0x100, 0x3000, 0x11_0000))
        found = chr(chance.randrange(0x20, most))
        if unicodedata.category(found) not in ("Cc", "Cs"):
            return found


def name(chance: random.Random, most: int, *, without: str = "") -> str:
    """An odd text that must be taken as the name of a user or a product."""
    while True:
        length = chance.choice((1, 2, 5, 12, 40, most))
        text = ""
        while len(text) < length:
            text += chance.choice(FRAGMENTS) if chance.random() < 0.4 else character(chance)
        text = text[:most]
        if text.strip() and text not in (".", "..") and not set(text) & set(without):
            return text


def quoted(chance: random.Random, text: str) -> bytes:
    """*text* as a segment of a path: what must be escaped is, and some of the rest."""
    found = b""
    for one in text:
        if one in UNNEEDED and chance.random() < 0.9:
            found += one.encode()
        else:
            found += b"".join((b"%%%02X" if chance.random() < 0.5 else b"%%%02x") % b for b in one.encode())
    return found


def string(chance: random.Random, text: str) -> str:
    """*text* as a JSON string, with escapes where they may be."""
    found = ""
    for one in text:
        if one in '"\\':
            found += "\\" + one
        elif chance.random() < 0.1:
            found += json.dumps(one)[1:-1]
        elif chance.random() < 0.05 and ord(one) < 0x1_0000:
            found += f"\\u{ord(one):04x}"
        else:
            found += one
    return f'"{found}"'


def members(chance: random.Random, pairs: list[tuple[str, str]]) -> bytes:
    """A JSON object of texts that are JSON already, in any order, with blanks where they may be."""

    def blank() -> str:
        return "".join(chance.choices(" \t\r\n", k=chance.choice((0, 0, 0, 1, 3))))

    chance.shuffle(pairs)
    inner = ",".join(f"{blank()}{string(chance, k)}{blank()}:{blank()}{v}{blank()}" for k, v in pairs)
    return f"{blank()}{{{inner}}}{blank()}".encode()
