"""The key that AUTH_SECRET stands for, and the algorithms that it is long enough for."""

import base64
import binascii

SECRET_FORMS = ("text", "base64", "jjwt")
# The fewest bytes of a key for each algorithm: as many as its hash has (RFC 7518, 3.2).
KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
KEY_BYTES_MIN = min(KEY_BYTES.values())
# Beginnings of public keys. A shared secret that everybody knows would let everybody sign.
PUBLIC = (b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-")


def key_of(secret: str, form: str) -> bytes:
    """The bytes of the key; raises `ValueError` if *secret* is not in this form.

    `jjwt` is the form of the course's newer branches: their key is the base64 text of the secret.
    """
    if form == "jjwt":
        return base64.b64encode(secret.encode())
    if form == "text":
        return secret.encode()
    try:
        standard = secret.translate(str.maketrans("-_", "+/")).rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is not base64") from error


def fault_of(secret: str, form: str) -> str:
    """The reason why *secret* cannot be used; empty if it can."""
    try:
        key = key_of(secret, form)
    except ValueError as error:
        return str(error)
    if key.startswith(PUBLIC):
        return "is a public key, not a secret; use AUTH_KEYS_FILE for public keys"
    if len(key) < KEY_BYTES_MIN:
        return (
            f"makes a key of {len(key)} bytes, and needs {KEY_BYTES_MIN} or more: a shorter key can be"
            " guessed from any token"
        )
    return ""


def algorithms_of(key: bytes) -> list[str]:
    """The algorithms that *key* is long enough for. The last one is the strongest."""
    return [name for name, least in KEY_BYTES.items() if len(key) >= least]
