"""Nothing secret leaves the engine in a text: every known secret value is replaced, in each form it usually takes."""

import base64
import json
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from engines.embedded.properties import Properties, Value, secret_texts

MASK = "[secret]"
# Pulumi's own filter leaves shorter values alone too: masking "a" would leave no text readable.
SHORTEST = 3


class Masker:
    """Knows the secrets of a run. Used from every thread."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def learn(self, value: Value | Properties) -> None:
        """Remember every secret in a property value."""
        self.learn_texts(secret_texts(value))

    def learn_texts(self, texts: Iterable[str]) -> None:
        """Remember texts that are secret as a whole."""
        forms = {form for text in texts for form in _forms(text) if len(form) >= SHORTEST}
        with self._lock:
            if not forms <= self._forms:
                self._forms |= forms
                self._pattern = None

    def mask(self, text: str) -> str:
        """Answer the text with every known secret replaced by `[secret]`."""
        with self._lock:
            if self._pattern is None:
                longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
                self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
            return self._pattern.sub(MASK, text)


def _forms(text: str) -> Iterable[str]:
    if len(text) < SHORTEST:
        return
    data = text.encode()
    yield text
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        yield encoded.decode()
        yield encoded.decode().rstrip("=")
    yield quote(text)
    yield quote(text, safe="")
    yield quote_plus(text)
    yield json.dumps(text)[1:-1]
    yield repr(text)[1:-1]
