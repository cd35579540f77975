"""The password of a login that comes along with a move: the given one at first, and never told twice."""

from tests.dynamic_providers.postgres.place import Place, one

GIVEN = "0123456789abcdef0123456789abcdef"


def test_a_login_is_made_with_the_password_it_is_given(place: Place) -> None:
    """F18: for the tenant only host, port and database change."""
    made = place.create("acme", given_password=GIVEN)
    assert made.outs["password"] == GIVEN
    assert "given_password" not in made.outs
    with place.connect(made) as connection:
        assert one(connection, "SELECT current_user") == ("c_acme_owner",)


def test_a_given_password_counts_when_the_login_is_made_and_no_later(place: Place) -> None:
    """It is no difference, a refresh records none, and an update leaves the login's own."""
    made = place.create("acme", given_password=GIVEN)
    assert not place.provider.diff(made.id, made.outs, place.props("acme")).changes
    assert not place.provider.diff(made.id, made.outs, place.props("acme", given_password="another")).changes
    assert "given_password" not in place.read(made)
    after = place.update(made, "acme", given_password="another", statement_timeout_ms=1000.0)
    assert after.outs["password"] == GIVEN
    place.connect(after).close()
