"""Secrets never reach an error, a log or a traceback: known values and telltale fields are starred (A7)."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

STARS = "***"
SHORTEST = 8
SECRET_FIELDS = frozenset({"access_key", "authorization", "password", "secret", "secret_key", "token"})
FIELD = re.compile(
    rf"""(["']?\b(?:{"|".join(SECRET_FIELDS)})["']?\s*[:=]\s*(?:bearer\s+)?)("(?:[^"\\]|\\.)*"|[^\s"',;&}}]+)""",
    re.IGNORECASE,
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets, in any encoding they travel in, and without the values of secret fields."""
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, STARS)
    return FIELD.sub(rf'\1"{STARS}"', text)


def secrets_in(value: object) -> Iterator[str]:
    """The strings below secret fields of a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SECRET_FIELDS and isinstance(inner, str):
                yield inner
            else:
                yield from secrets_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_in(inner)


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        # Inside a longer text ("user:secret") the secret starts at any of three offsets; its outermost characters
        # mix with the neighbours and are left out. Short secrets would leave too little to be telling.
        for offset in range(3):
            inner = encode(b"\0" * offset + raw).decode().rstrip("=")[(offset * 8 + 5) // 6 : -1]
            if len(inner) >= SHORTEST:
                yield inner
