"""Pulumi's passphrase encryption: PBKDF2-SHA256 (1,000,000 rounds), AES-256-GCM, texts `v1:<nonce>:<ciphertext>`."""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engines.engine import EngineError

ROUNDS = 1_000_000
KEY_BYTES, SALT_BYTES, NONCE_BYTES = 32, 8, 12
VERSION = "v1"
PROBE = "pulumi"
FIELDS = 3


class Crypter:
    """Encrypts and decrypts with the key of one passphrase and salt."""

    def __init__(self, passphrase: str, salt: bytes) -> None:
        self._aead = AESGCM(_derive(passphrase, salt))

    def encrypt(self, text: str) -> str:
        """Answer `v1:<nonce>:<ciphertext>`, both in base64; another one at every call."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, text.encode(), None)
        return f"{VERSION}:{_text(nonce)}:{_text(sealed)}"

    def decrypt(self, sealed: str) -> str:
        """Raise EngineError for a text that this key did not encrypt."""
        version, _, rest = sealed.partition(":")
        nonce, _, ciphertext = rest.partition(":")
        if version != VERSION:
            raise EngineError("a secret is not encrypted with a passphrase: 'v1:' is missing")
        try:
            return self._aead.decrypt(_bytes(nonce), _bytes(ciphertext), None).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise EngineError("a secret cannot be decrypted with this passphrase and salt") from None


@lru_cache(maxsize=64)
def _derive(passphrase: str, salt: bytes) -> bytes:
    # Costs about 0.4 s, once per process and stack file.
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, KEY_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def open_crypter(salt: str, passphrase: str) -> Crypter:
    """Check the passphrase against a stack's `encryptionsalt`: `v1:<salt>:<"pulumi", encrypted>`."""
    parts = salt.split(":", FIELDS - 1)
    if len(parts) != FIELDS or parts[0] != VERSION:
        raise EngineError("the stack file's encryptionsalt is malformed: it is 'v1:<salt>:<check>'")
    try:
        crypter = Crypter(passphrase, _bytes(parts[1]))
        probe = crypter.decrypt(parts[2])
    except (EngineError, binascii.Error):
        probe = ""
    if probe != PROBE:
        raise EngineError("incorrect passphrase: PULUMI_CONFIG_PASSPHRASE does not fit the stack's encryptionsalt")
    return crypter


def new_salt(passphrase: str) -> str:
    """Make the `encryptionsalt` of a new stack."""
    salt = os.urandom(SALT_BYTES)
    return f"{VERSION}:{_text(salt)}:{Crypter(passphrase, salt).encrypt(PROBE)}"


def read_passphrase(environ: Mapping[str, str]) -> str:
    """Read PULUMI_CONFIG_PASSPHRASE (which may be empty) or the file that PULUMI_CONFIG_PASSPHRASE_FILE names."""
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        return environ["PULUMI_CONFIG_PASSPHRASE"]
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if not file:
        raise EngineError("passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EngineError(f"PULUMI_CONFIG_PASSPHRASE_FILE cannot be read: {error.strerror} ({file})") from error
