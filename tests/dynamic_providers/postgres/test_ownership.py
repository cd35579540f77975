"""What is ours is known by its mark: found again, completed, or refused."""

import psycopg
import pytest
from hypothesis import strategies as st

from dynamic_providers.errors import AmbiguousMarkError
from tests.dynamic_providers.postgres.place import Made, Place, one

DNS_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_a_second_create_adopts_what_carries_the_mark_and_sets_a_new_password(place: Place) -> None:
    """H4, H5, G43: a lost state, or a run that died after the commit."""
    first = place.create("acme")
    with place.connect(first) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS n")
    with place.admin() as admin:
        admin.execute("ALTER ROLE c_acme RESET search_path; ALTER ROLE c_acme CONNECTION LIMIT 1")
    second = place.create("acme")
    assert second.outs["password"] != first.outs["password"]
    with place.connect(second) as session:
        assert one(session, "SELECT n FROM kept") == (1,)
    with pytest.raises(psycopg.OperationalError):
        place.connect(first)
    assert place.read(second) == place.props("acme")


@pytest.mark.parametrize("mark", [None, "tenantry:prod:other-schema-1", "tenantry:staging:acme-schema-1"])
def test_what_carries_no_mark_or_anothers_is_refused_and_left_alone(place: Place, mark: str | None) -> None:
    """H5: ownership is proven, never guessed from a name."""
    with place.admin() as admin:
        for part in ("ROLE c_acme", "ROLE c_acme_owner", "SCHEMA c_acme"):
            admin.execute(f"CREATE {part}; COMMENT ON {part} IS {'NULL' if mark is None else repr(mark)}".encode())
            with pytest.raises(AmbiguousMarkError, match="so it is left alone"):
                place.create("acme")
            with pytest.raises(AmbiguousMarkError, match="so it is left alone"):
                place.delete(Made("c_acme", place.props("acme")))
            admin.execute(f"DROP {part}".encode())


def test_a_tenant_that_scribbles_on_its_schema_is_still_managed(place: Place) -> None:
    """The tenant owns its schema, so the mark there proves nothing; the roles' marks are out of its reach."""
    made = place.create("acme")
    with place.connect(made) as session:
        session.execute("COMMENT ON SCHEMA c_acme IS 'tenantry:prod:other-schema-1'")
    seen = place.refresh(made)
    assert seen.outs["layout"] == "damaged: the schema does not carry the mark"
    place.update(seen, "acme")
    assert place.read(made) == place.props("acme")
    with place.connect(made) as session:
        session.execute("COMMENT ON SCHEMA c_acme IS NULL")
    place.delete(made)
    assert place.tenant_roles() == []


def test_a_note_beside_the_mark_is_kept(place: Place) -> None:
    made = place.create("acme")
    note = "VIP, tenantry:prod:acme-schema-1 since 2026"
    with place.admin() as admin:
        admin.execute(f"COMMENT ON ROLE c_acme IS '{note}'".encode())
    assert place.read(made) == place.props("acme")
    place.update(made, "acme", connection_limit=9)
    with place.admin() as admin:
        assert one(admin, "SELECT shobj_description('c_acme'::regrole, 'pg_authid')") == (note,)


def test_a_new_mark_is_written_over_the_old_one(place: Place) -> None:
    made = place.create("acme")
    renamed = place.props("acme", mark="tenantry:prod:acme-schema-2")
    assert place.provider.diff(made.id, made.outs, renamed).changes
    assert place.read(place.update(made, "acme", mark="tenantry:prod:acme-schema-2")) == renamed
