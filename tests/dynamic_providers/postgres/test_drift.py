"""Whatever is changed behind our back shows in a refresh, and the next update mends it."""

import pytest

from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.postgres.inputs import LAYOUT
from tests.dynamic_providers.postgres.place import Place

# Rounds of edits: what somebody did → the input that shows it, and what it shows (of `layout`, a part).
Edit = tuple[str, str, object]
ROUNDS: tuple[tuple[Edit, ...], ...] = (
    (
        ("ALTER ROLE c_acme CONNECTION LIMIT 50", "connection_limit", 50),
        ("ALTER ROLE c_acme SET statement_timeout = 1", "statement_timeout_ms", 1),
        ("ALTER ROLE c_acme NOLOGIN", "blocked", True),
        ("ALTER ROLE c_acme SET search_path = public", "layout", "search_path is not the schema"),
        ("ALTER ROLE c_acme RESET role", "layout", "sessions do not run as the owner role"),
        ("ALTER ROLE c_acme NOINHERIT", "layout", "the login role does not inherit"),
        ("ALTER ROLE c_acme CREATEDB", "layout", "a role may more than it should"),
        ("ALTER ROLE c_acme_owner LOGIN", "layout", "the owner role can log in"),
        ("ALTER ROLE c_acme VALID UNTIL '2026-01-01'", "layout", "the password expires"),
        ("GRANT c_vip TO c_acme_owner", "layout", "the tenant is a member of a foreign role"),
        ("COMMENT ON ROLE c_acme_owner IS 'x'", "layout", "the owner role does not carry the mark"),
        ("COMMENT ON SCHEMA c_acme IS NULL", "layout", "the schema does not carry the mark"),
        ("REVOKE ALL ON SCHEMA c_acme FROM c_acme_owner", "layout", "the tenant may not use its schema"),
        ("GRANT USAGE ON SCHEMA c_acme TO PUBLIC", "layout", "PUBLIC has rights on the schema"),
        ("GRANT TEMPORARY ON DATABASE main TO PUBLIC", "layout", "PUBLIC has rights on the database"),
        ("GRANT CREATE ON DATABASE main TO c_acme", "layout", "the tenant may make schemas"),
        ("GRANT CREATE ON SCHEMA public TO c_acme_owner", "layout", "the tenant has rights on schema public"),
        ("GRANT USAGE ON SCHEMA auth TO PUBLIC", "layout", "PUBLIC has rights on auth.uid()"),
        ("REVOKE EXECUTE ON FUNCTION auth.uid() FROM c_acme_owner", "layout", "the tenant may not call auth.uid()"),
        ("ALTER FUNCTION auth.uid() SET search_path = c_acme", "layout", "auth.uid() is another function"),
    ),
    (
        ("ALTER ROLE c_acme CONNECTION LIMIT -1", "connection_limit", -1),
        ("ALTER ROLE c_acme IN DATABASE main SET statement_timeout = 7", "statement_timeout_ms", 7),
        ("ALTER ROLE c_acme IN DATABASE main SET search_path = c_acme", "layout", "search_path is not the schema"),
        ("REVOKE c_acme_owner FROM c_acme", "layout", "the login role is no full member of the owner role"),
        ("ALTER ROLE c_acme_owner CREATEROLE", "layout", "a role may more than it should"),
        ("GRANT c_vip TO c_acme", "layout", "the tenant is a member of a foreign role"),
        ("COMMENT ON ROLE c_acme IS NULL", "layout", "the login role does not carry the mark"),
        ("ALTER SCHEMA c_acme OWNER TO admin", "layout", "the schema belongs to another role"),
        ("REVOKE CONNECT ON DATABASE main FROM c_acme", "layout", "the login role may not connect"),
        ("REVOKE TEMPORARY ON DATABASE main FROM c_acme_owner", "layout", "the tenant may make no temporary tables"),
        ("GRANT USAGE ON SCHEMA public TO PUBLIC", "layout", "PUBLIC has rights on schema public"),
        ("GRANT EXECUTE ON FUNCTION auth.uid() TO PUBLIC", "layout", "PUBLIC has rights on auth.uid()"),
        ("GRANT CREATE ON SCHEMA auth TO c_acme", "layout", "the tenant may change schema auth"),
    ),
    (
        ("ALTER ROLE c_acme RESET ALL", "statement_timeout_ms", 0),
        ("", "layout", "idle transactions do not end"),
        ("", "layout", "search_path is not the schema"),
        ("GRANT CONNECT ON DATABASE main TO PUBLIC", "layout", "PUBLIC has rights on the database"),
        ("REVOKE c_acme FROM admin", "layout", "the admin cannot act for the tenant"),
        ("DROP FUNCTION auth.uid()", "layout", "auth.uid() is missing"),
    ),
    (("ALTER ROLE c_acme SET statement_timeout = '1min'", "statement_timeout_ms", -1),),
    (("DROP OWNED BY c_acme; DROP ROLE c_acme", "layout", "the login role is missing"),),
)
EXTENSION_ROUNDS: tuple[tuple[Edit, ...], ...] = (
    (
        ("DROP EXTENSION citext", "extensions", []),
        ("GRANT USAGE ON SCHEMA extensions TO PUBLIC", "layout", "PUBLIC has rights on the extensions"),
        ("GRANT CREATE ON SCHEMA extensions TO c_acme", "layout", "the tenant may change the extensions"),
    ),
    (("REVOKE USAGE ON SCHEMA extensions FROM c_acme_owner", "layout", "the tenant may not use the extensions"),),
    (("DROP SCHEMA extensions CASCADE", "extensions", []),),
)


def test_every_edit_behind_our_back_shows_and_is_mended(place: Place) -> None:
    """H5, A37: drift per field, gone after one update; the password stays."""
    made = place.create("acme")
    wanted = place.props("acme")
    with place.admin() as admin:
        admin.execute("CREATE ROLE c_vip")
        for edits in (*ROUNDS, *(EXTENSION_ROUNDS if place.has_extensions else ())):
            for edit, _, _ in edits:
                admin.execute(edit.encode())
            seen = place.refresh(made)
            damaged = seen.outs["layout"].removeprefix("damaged: ").split("; ")
            for edit, field, value in edits:
                assert value in damaged if field == "layout" else seen.outs[field] == value, edit
            assert place.provider.diff(made.id, seen.outs, wanted).changes
            assert place.update(seen, "acme") == made
            assert place.read(made) == wanted
    with place.connect(made) as session:
        session.execute("CREATE TABLE note ()")


def test_a_second_refresh_sees_what_the_first_one_saw(place: Place) -> None:
    """What a refresh records is what the next one starts from; damage must not pass for the wanted state."""
    made = place.create("acme")
    with place.admin() as admin:
        admin.execute(
            "ALTER ROLE c_acme NOLOGIN CONNECTION LIMIT -1; ALTER ROLE c_acme SET statement_timeout = '1h';"
            "COMMENT ON ROLE c_acme IS NULL; COMMENT ON SCHEMA c_acme IS NULL"
        )
    seen = place.refresh(made)
    assert seen.outs["layout"] != LAYOUT
    assert place.refresh(seen) == seen


def test_an_object_marked_for_another_is_damage_that_no_update_touches(place: Place) -> None:
    made = place.create("acme")
    with place.admin() as admin:
        admin.execute("COMMENT ON ROLE c_acme IS 'tenantry:prod:other-schema-1'")
    seen = place.refresh(made)
    assert seen.outs["layout"] == "damaged: the login role does not carry the mark"
    assert seen.outs["mark"] == "tenantry:prod:acme-schema-1"
    with pytest.raises(AmbiguousMarkError, match="carries the mark tenantry:prod:other-schema-1"):
        place.update(seen, "acme")
    with pytest.raises(AmbiguousMarkError, match="carries the mark tenantry:prod:other-schema-1"):
        place.delete(seen)


def test_a_new_version_of_the_layout_reaches_every_tenant_by_an_update(place: Place) -> None:
    made = place.create("acme")
    older = made.outs | {"layout": "0"}
    assert not place.provider.diff(made.id, made.outs, place.props("acme")).changes
    assert place.provider.diff(made.id, older, place.props("acme")).changes
    assert place.props("acme")["layout"] == LAYOUT
