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
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def learn(self, value: Value | Properties) -> None:
        """Remember every secret in a property value."""
        self.learn_texts(secret_texts(value))

    def learn_texts(self, texts: Iterable[str]) -> None:
        """Remember texts that are secret as a whole."""
        forms = {form for text in texts for form in _forms(text) if len(form) >= SHORTEST}
        with self._lock:
            self._known |= forms

    def mask(self, text: str) -> str:
        """Answer the text with every known secret replaced by `[secret]`, the longest ones first."""
        with self._lock:
            found = sorted((form for form in self._known if form in text), key=len, reverse=True)
        # In one pass: the mask itself may contain a secret.
        return re.sub("|".join(map(re.escape, found)), MASK, text) if found else text


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
