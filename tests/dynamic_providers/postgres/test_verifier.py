"""Passwords are known to a server by verifiers of ours, which come out the same whenever they are made."""

import base64
import hashlib
import hmac

import psycopg
import pytest

from dynamic_providers.postgres.verifier import scram_verifier
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import DATABASE, Made, Place


def stored(place: Place, login: str) -> str:
    with place.superuser() as session:
        row = session.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [login]).fetchone()
    assert row is not None
    return str(row[0])


def ours(made: Made) -> str:
    return scram_verifier(made.outs["login"], made.outs["password"])


def test_the_server_keeps_the_verifier_that_a_pooler_is_given(place: Place) -> None:
    """A38: byte for byte, through an update and a password that the tenant has set itself."""
    made = place.create("acme")
    assert stored(place, "c_acme") == ours(made)
    with place.connect(made) as session:
        session.execute("SET ROLE NONE; ALTER ROLE c_acme PASSWORD 'my-own'")
    assert stored(place, "c_acme") != ours(made)
    again = place.update(made, "acme", connection_limit=5.0)
    assert again.outs["password"] == made.outs["password"]
    assert stored(place, "c_acme") == ours(again)
    place.connect(again).close()


def test_who_does_not_know_the_password_is_refused(place: Place) -> None:
    """The verifier itself opens nothing."""
    made = place.create("acme")
    for wrong in (f"{made.outs['password']}0", ours(made)):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=HOST, port=place.port, dbname=DATABASE, user="c_acme", password=wrong)


def test_a_verifier_is_that_of_the_standard() -> None:
    """RFC 5803 and RFC 5802, computed from the salt that it names."""
    kind, rounds_and_salt, keys = scram_verifier("c_acme", "secret").split("$")
    rounds, salt = rounds_and_salt.split(":")
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))
    assert (kind, rounds, len(base64.b64decode(salt))) == ("SCRAM-SHA-256", "4096", 16)
    salted = hashlib.pbkdf2_hmac("sha256", b"secret", base64.b64decode(salt), 4096)
    assert stored_key == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert server_key == hmac.digest(salted, b"Server Key", "sha256")


def test_no_two_logins_and_no_two_passwords_have_a_salt_in_common() -> None:
    """What one tenant's salt may tell is of no use against another."""
    made = [scram_verifier(login, password) for login in ("c_a", "c_b") for password in ("one", "two")]
    assert len({verifier.split("$")[1] for verifier in made}) == 4
    assert made == [scram_verifier(login, password) for login in ("c_a", "c_b") for password in ("one", "two")]


@pytest.mark.parametrize("password", ["", "pässwort", "two\nlines"])
def test_a_password_that_clients_might_prepare_otherwise_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="the password of c_acme is not printable ASCII"):
        scram_verifier("c_acme", password)
