"""No secret survives in a text, in whatever encoding it travels (A7)."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.masking import mask, secrets_in

SECRETS = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x4FF), min_size=12, max_size=40)
AROUND = st.text(alphabet="abc :,-", max_size=7)


@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_a_secret_is_starred_in_every_encoding(secret: str, before: str, after: str) -> None:
    inside = f"{before}{secret}{after}".encode()
    texts = {
        "plain": f"{before}{secret}{after}",
        "percent": quote(secret, safe=""),
        "form": quote_plus(secret),
        "json": json.dumps({"note": secret}),
        "base64": base64.b64encode(secret.encode()).decode(),
        "urlsafe": base64.urlsafe_b64encode(secret.encode()).decode(),
        "basic": base64.b64encode(inside).decode(),
    }
    for name, text in texts.items():
        masked = mask(text, [secret])
        assert "***" in masked, name
        assert secret not in masked, name


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter-two"}',
        '{"admin":{"login":"admin","password":"hunter-two"}}',
        "secret_key=hunter-two&name=x",
        "Authorization: Bearer hunter-two",
        "token: hunter-two",
        '{"password": "with \\" hunter-two"}',
    ],
)
def test_values_of_secret_fields_are_starred_unknown_as_they_are(text: str) -> None:
    assert "hunter-two" not in mask(text)


def test_what_is_no_secret_stays_readable() -> None:
    text = '{"message": "preset_id 12 is unknown", "error_code": "bad_request", "login": "admin"}'
    assert mask(text, ["another-secret", ""]) == text


def test_secrets_are_found_in_a_request_body() -> None:
    body = {"name": "x", "admin": {"password": "p-1"}, "users": [{"secret_key": "s-1", "token": 7}]}
    assert set(secrets_in(body)) == {"p-1", "s-1"}
