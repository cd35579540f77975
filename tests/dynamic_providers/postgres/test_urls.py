"""A connection string says exactly what was put in, whatever the parts are."""

from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from dynamic_providers.postgres.urls import database_url

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_the_path_names_the_database_and_the_options_the_schema() -> None:
    """G10."""
    url = database_url(
        login="c_acme",
        password="secret",
        host="db.example",
        port=5432,
        database="main",
        schema="c_acme",
        sslmode="require",
    )
    assert url == (
        "postgresql://c_acme:secret@db.example:5432/main?sslmode=require&options=-c%20search_path%3Dc_acme%2Cextensions"
    )


@given(login=TEXT, password=TEXT, database=TEXT, schema=TEXT)
def test_every_part_arrives_as_it_was(login: str, password: str, database: str, schema: str) -> None:
    url = database_url(
        login=login,
        password=password,
        host="2001:db8::1",
        port=5432,
        database=database,
        schema=schema,
        sslmode="verify-full",
    )
    assert {key: str(value) for key, value in conninfo_to_dict(url).items() if key != "options"} == {
        "user": login,
        "password": password,
        "host": "2001:db8::1",
        "port": "5432",
        "dbname": database,
        "sslmode": "verify-full",
    }
