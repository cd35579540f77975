"""A suspended tenant is out, whatever it does, and comes back with its password."""

from contextlib import closing

import psycopg
import pytest
from hypothesis import strategies as st

from tests.dynamic_providers.postgres.place import (
    Place,
    one,
)

DNS_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_a_suspended_tenant_is_cut_off_and_comes_back_with_its_password(place: Place) -> None:
    """G46: NOLOGIN, sessions ended, read back; B is not touched."""
    made, other = place.create("acme"), place.create("beta")
    with place.connect(made) as session, place.connect(other) as neighbour:
        suspended = place.update(made, "acme", blocked=True)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        assert one(neighbour, "SELECT 1") == (1,)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        place.connect(made)
    assert place.read(suspended) == place.props("acme", blocked=True)
    place.update(suspended, "acme")
    with place.connect(made) as session:
        assert one(session, "SELECT 1") == (1,)


def test_a_tenant_cannot_escape_suspension_by_holding_what_it_takes(place: Place) -> None:
    """G46: an open change of its own role, and our lock, are both within a tenant's reach."""
    made = place.create("acme")
    with closing(place.connect(made)) as first, closing(place.connect(made)) as second:
        first.execute("SET ROLE NONE; BEGIN; ALTER ROLE c_acme SET work_mem = '1MB'; ALTER ROLE c_acme PASSWORD 'x'")
        second.execute("BEGIN; SELECT pg_advisory_xact_lock(1953391982, 1936024437)")
        place.update(made, "acme", blocked=True)
    with pytest.raises(psycopg.OperationalError):
        place.connect(made)


def test_sessions_that_came_back_by_themselves_are_ended_by_the_next_update(place: Place) -> None:
    """G46: NOLOGIN alone is not suspension; a session that slipped through shows as damage."""
    made = place.create("acme")
    with place.connect(made) as session:
        with place.admin() as admin:
            admin.execute("ALTER ROLE c_acme NOLOGIN")
        seen = place.refresh(made)
        assert seen.outs["blocked"] is True
        assert seen.outs["layout"] == "damaged: the blocked login has sessions"
        blocked = place.update(seen, "acme", blocked=True)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert place.read(blocked) == place.props("acme", blocked=True)
