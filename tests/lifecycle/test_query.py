"""Who may run a statement for a tenant, how often a day, and that nothing is sent for whoever may not."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lifecycle.admission import Caller
from lifecycle.errors import MistakeError, RefusedError
from lifecycle.query import Place as Served
from lifecycle.query import Question, ask
from lifecycle.statement import Answer
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import Place
from tests.dynamic_providers.postgres.platform.conftest import platform
from tests.dynamic_providers.postgres.platform.database import Platform
from tests.lifecycle.people import People, served_at, with_people

__all__ = ["platform"]

TODAY, TOMORROW = date(2026, 11, 24), date(2026, 11, 25)
MEMBERS = {"ann": "owner", "bob": "developer", "eve": "viewer"}
CALLER = Caller("acme", "pulumi:prod/acme", "eve", TODAY)
AT_ONCE = 20


@pytest.fixture
def people(place: Place) -> People:
    return with_people(place)


def recorded(platform: Platform, **changes: object) -> Platform:
    """Acme's record, with these members and a limit of seven runs a day unless something else is said."""
    limits = {"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 7}
    usual: dict[str, object] = {"user_id": "ann", "permissions": MEMBERS, "granted_by": "ann", "limits": limits}
    platform.keep("acme", **{**usual, **changes})
    return platform


def put(
    platform: Platform, served: Served | None, text: str = "SELECT 1", caller: Caller = CALLER, seconds: float = 10
) -> Answer:
    """What comes of a statement."""
    return ask(platform.address, served, Question(caller, text, seconds, rows=10))


def usage(platform: Platform) -> list[tuple[Any, ...]]:
    return platform.rows("SELECT date, api_requests, query_executions FROM tenant_usage ORDER BY date")


@contextmanager
def listening() -> Iterator[tuple[Served, list[object]]]:
    """A tenant's database that only notes who comes."""
    came: list[object] = []
    with socket.create_server((HOST, 0)) as server:

        def take() -> None:
            while True:
                try:
                    connection, who = server.accept()
                except OSError:
                    return
                came.append(who)
                connection.close()

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield served_at(server.getsockname()[1]), came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            taking.join()


@pytest.mark.parametrize(
    ("caller", "changes", "sentence"),
    [
        (replace(CALLER, user="mallory"), {}, "Access denied"),
        (replace(CALLER, user=""), {}, "Access denied"),
        (replace(CALLER, user="ann"), {"permissions": {"eve": "viewer"}}, "Access denied"),
        (replace(CALLER, user="mallory"), {"status": "suspended"}, "Access denied"),
        (replace(CALLER, user="ann"), {"status": "suspended"}, "'acme' is suspended: no statement is run for it"),
        (replace(CALLER, user="ann"), {"status": "creating"}, "'acme' is creating: no statement is run for it"),
        (replace(CALLER, user="ann"), {"status": "deleted"}, "No database found for tenant: acme"),
        (replace(CALLER, tenant="zeta"), {}, "No database found for tenant: zeta"),
        (replace(CALLER, reference="pulumi:test/acme"), {}, "No database found for tenant: acme"),
        (CALLER, {"limits": {"max_requests_per_day": 0}}, "'acme' has no run left on 2026-11-24: max_requests_per_day"),
    ],
)
def test_b25_who_may_not_is_refused_before_anything_is_sent_to_the_tenants_database(
    platform: Platform, caller: Caller, changes: dict[str, Any], sentence: str
) -> None:
    recorded(platform, **changes)
    with listening() as (served, came):
        with pytest.raises(RefusedError) as raised:
            put(platform, served, caller=caller)
        assert str(raised.value).startswith(sentence)
        assert came == []
        # The control: whoever may is heard there, and counted.
        recorded(platform, status="active")
        with pytest.raises(Exception, match="the tenant's database cannot be reached now"):
            put(platform, served, seconds=0.2)
        assert came
    assert usage(platform) == [(TODAY, 1, 1)]


def test_b22_a_tenant_without_a_database_has_none_and_no_run_is_counted(platform: Platform) -> None:
    recorded(platform)
    with pytest.raises(RefusedError, match=r"^No database found for tenant: acme$"):
        put(platform, None)
    assert usage(platform) == []


def test_before_any_tenant_is_recorded_nobody_has_a_database(platform: Platform) -> None:
    with pytest.raises(RefusedError, match=r"^No database found for tenant: acme$"):
        put(platform, None)


def test_b25_a_run_is_counted_and_so_is_one_that_fails(platform: Platform, people: People) -> None:
    recorded(platform)
    assert put(platform, people.served, "SELECT count(*) FROM notes").rows == ((3,),)
    for text in ("SELEC 1", "DELETE FROM notes", "SELECT pg_sleep(60)"):
        with pytest.raises(RefusedError):
            put(platform, people.served, text, seconds=0.2)
    assert usage(platform) == [(TODAY, 4, 4)]


def test_b29_the_role_of_the_record_is_the_role_in_the_database(platform: Platform, people: People) -> None:
    recorded(platform)
    assert put(platform, people.served, "SELECT session_user").rows == (("c_acme_as_viewer",),)
    assert put(platform, people.served, "SELECT session_user", caller=replace(CALLER, user="bob")).rows == (
        ("c_acme_as_developer",),
    )
    assert put(platform, people.served, "SELECT session_user", caller=replace(CALLER, user="ann")).rows == (
        ("c_acme_as_owner",),
    )
    recorded(platform, permissions={"eve": "admin"})
    assert put(platform, people.served, "SELECT session_user").rows == (("c_acme_as_admin",),)


def test_b45_of_twenty_at_once_as_many_run_as_the_day_has_left(platform: Platform, people: People) -> None:
    recorded(platform)
    together = threading.Barrier(AT_ONCE)

    def one(_number: int) -> str:
        together.wait()
        try:
            return str(put(platform, people.served).rows)
        except RefusedError as refusal:
            return str(refusal)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(one, range(AT_ONCE)))
    assert answers.count("((1,),)") == 7
    assert sum(answer.startswith("'acme' has no run left on 2026-11-24") for answer in answers) == AT_ONCE - 7
    assert usage(platform) == [(TODAY, 7, 7)]
    assert put(platform, people.served, caller=replace(CALLER, day=TOMORROW)).rows == ((1,),)
    assert usage(platform) == [(TODAY, 7, 7), (TOMORROW, 1, 1)]


def test_b45_another_limit_holds_at_once_and_another_tenants_runs_are_its_own(platform: Platform) -> None:
    recorded(platform, limits={"max_requests_per_day": 1})
    platform.keep("zeta", permissions=MEMBERS)
    for tenant in ("acme", "zeta"):
        platform.run("INSERT INTO tenant_usage (tenant_id, date, api_requests) VALUES (%s, %s, 1)", tenant, TODAY)
    with listening() as (served, came):
        with pytest.raises(RefusedError, match="no run left"):
            put(platform, served)
        assert came == []
    recorded(platform, limits={"max_requests_per_day": 2})
    with listening() as (served, came):
        with pytest.raises(Exception, match="cannot be reached"):
            put(platform, served, seconds=0.2)
        assert came
    assert platform.rows("SELECT api_requests FROM tenant_usage WHERE tenant_id = 'zeta'") == [(1,)]


def test_without_the_secret_no_password_is_known_and_the_sentence_says_which(platform: Platform) -> None:
    recorded(platform)
    with pytest.raises(MistakeError, match="tenantry:adminSecret is not set"):
        put(platform, replace(served_at(1), secret=""))
