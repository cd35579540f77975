"""What the cloud says: who asks it, and what becomes of what is gone or changed. The same on both engines."""

from tests.engines.laboratory import Laboratory, failed, operations

THREE = """
    here = on(lane())
    a = Toy("a", here)
    Toy("b", here, labels=a.url)
    Toy("c", here, size=3)
"""


def test_a_plain_run_asks_the_cloud_nothing(lab: Laboratory) -> None:
    """Facts 2.1: a green plain `up` proves nothing about the cloud."""
    lab.applied(THREE)
    lab.lose("c")
    assert operations(lab.up()) == {"a": "same", "b": "same", "c": "same"}
    assert lab.calls() == []


def test_a_refresh_takes_what_is_gone_out_of_the_state(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.lose("c")
    assert operations(lab.engine.refresh()) == {"a": "same", "b": "same", "c": "delete"}
    assert sorted(lab.calls()) == ["read a", "read b", "read c"]
    assert lab.names() == {"lane", "a", "b"}
    assert operations(lab.up()) == {"a": "same", "b": "same", "c": "create"}


def test_a_refreshing_update_makes_again_what_is_gone(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.lose("c")
    assert operations(lab.up(refresh=True))["c"] == "create"
    assert sorted(lab.calls()) == ["create c", "read a", "read b", "read c"]
    assert set(lab.objects()) == {"a", "b", "c"}


def test_a_refreshing_preview_changes_nothing(lab: Laboratory) -> None:
    lab.applied(THREE)
    before = lab.resources()
    lab.lose("c")
    assert operations(lab.preview(refresh=True))["c"] == "create"
    assert lab.resources() == before


def test_drift_shows_and_the_next_update_ends_it(lab: Laboratory) -> None:
    """Trap 14: a read that answers inputs too lets drift show as a difference."""
    lab.applied(THREE)
    lab.drift("c", size=4)
    assert operations(lab.engine.refresh())["c"] == "refresh"
    assert lab.resources()["c"]["outputs"]["size"] == 4
    assert lab.resources()["c"]["inputs"]["size"] == 4
    assert operations(lab.up())["c"] == "update"
    assert lab.objects()["c"]["size"] == 3


def test_a_gone_resource_leaves_no_reference_to_it(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.lose("a")
    assert operations(lab.engine.refresh())["a"] == "delete"
    entry = lab.resources()["b"]
    assert not entry.get("dependencies")
    assert not entry.get("propertyDependencies", {}).get("labels")


def test_a_refresh_reads_what_the_program_no_longer_declares(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.lose("c")
    lab.program('Toy("a", on(lane()))')
    found = operations(lab.engine.refresh())
    assert found["c"] == "delete"
    assert lab.names() == {"lane", "a", "b"}


def test_a_refresh_creates_nothing_that_is_new_in_the_program(lab: Laboratory) -> None:
    lab.applied('Toy("a", on(lane()))')
    lab.program("""
        here = on(lane())
        Toy("a", here)
        new = Toy("new", here)
        Toy("newer", here, labels=new.url)
    """)
    assert operations(lab.engine.refresh())["a"] == "same"
    assert lab.calls() == ["read a"]
    assert lab.names() == {"lane", "a"}


def test_a_read_that_fails_changes_nothing(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.drift("c", size=4)
    lab.fault("c", "read", "time-out")
    result = lab.engine.refresh()
    assert failed(result) == {"c"}
    assert "time-out" in result.failures[0].message
    assert lab.resources()["c"]["outputs"]["size"] == 3


def test_a_refresh_uses_the_credentials_of_today(lab: Laboratory) -> None:
    """Trap 4: rotate, update, revoke; refresh and destroy run the program for its configuration."""
    lab.configure(secrets={"playground:token": "first-token"})
    lab.applied('Toy("a", on(lane(toy_token=pulumi.Config().require_secret("token"))))')
    lab.configure(secrets={"playground:token": "second-token"})
    assert lab.engine.refresh().ok
    (read,) = [call for call in lab.log() if call["call"] == "read"]
    assert read["token"] == "second-token"


def test_what_needs_an_unreadable_resource_is_read_all_the_same(lab: Laboratory) -> None:
    lab.applied(THREE)
    lab.drift("b", size=4)
    lab.fault("a", "read", "time-out")
    result = lab.engine.refresh()
    assert failed(result) == {"a"}
    if lab.kind == "embedded":  # the CLI stops at the first error
        assert operations(result)["b"] == "refresh"
