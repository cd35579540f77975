"""A password's SCRAM verifier, made on our side: the same one wherever it is made again.

A pooler logs in to a server with what a client has just proved to it, but only where both hold one and the same
verifier, its salt included. So the salt is no random number but follows from the login and the password, at the cost of
a full SCRAM derivation: whoever is shown the salt, as everybody is who asks to log in, can test no guess faster by it
than by the verifier itself (ADR 0013).
"""

import base64
import hashlib
import hmac

ITERATIONS = 4096
"""PostgreSQL's own number, and the one that every client and pooler accepts."""
SALT_BYTES = 16
_SALTING = b"tenantry scram salt: "


def scram_verifier(login: str, password: str) -> str:
    """`SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>` as PostgreSQL and PgBouncer store it (RFC 5803).

    Raises ValueError for a password that is not printable ASCII: SASLprep could make another one of it.
    """
    if not (password and password.isascii() and password.isprintable()):
        raise ValueError(f"the password of {login} is not printable ASCII, as the passwords we make are")
    secret = password.encode()
    salt = hashlib.pbkdf2_hmac("sha256", secret, _SALTING + login.encode(), ITERATIONS)[:SALT_BYTES]
    salted = hashlib.pbkdf2_hmac("sha256", secret, salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
