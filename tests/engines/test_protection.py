"""Protected resources are neither dropped nor replaced nor destroyed by themselves: the same on both engines."""

from tests.engines.laboratory import Laboratory, failed, operations

PROTECTED = 'Toy("a", on(lane(), protect=True))'


def test_dropping_a_protected_resource_fails_in_the_preview_and_names_it(lab: Laboratory) -> None:
    lab.applied('here = lane()\nToy("a", on(here, protect=True))\nToy("b", on(here))')
    lab.program('Toy("c", on(lane()))')
    result = lab.preview()
    assert failed(result) == {"a"}
    assert "protect" in result.failures[0].message
    assert failed(lab.up(preview=True)) == {"a"}
    assert lab.calls() == []


def test_leaving_takes_two_runs(lab: Laboratory) -> None:
    """First unprotected, then no longer declared."""
    lab.applied(PROTECTED)
    lab.program(PROTECTED.replace("True", "False"))
    assert operations(lab.up()) == {"a": "same"}
    assert "protect" not in lab.resources()["a"]
    lab.program("lane()")
    assert operations(lab.up()) == {"a": "delete"}
    assert lab.calls() == ["delete a"]


def test_a_protected_resource_is_not_replaced(lab: Laboratory) -> None:
    program = 'Toy("a", on(lane(), protect=True), kind="{kind}")'
    lab.applied(program.format(kind="x"))
    lab.program(program.format(kind="y"))
    result = lab.up(preview=True)
    assert failed(result) == {"a"}
    assert lab.calls() == []


def test_a_protected_dependent_stops_a_replacement_that_would_take_it_along(lab: Laboratory) -> None:
    program = """
        here = lane()
        a = Toy("a", on(here), kind="{kind}", first=True)
        Toy("b", on(here, protect=True), kind=a.url)
    """
    lab.applied(program.format(kind="x"))
    lab.program(program.format(kind="y"))
    result = lab.up(preview=True)
    assert not result.ok
    assert "protect" in result.failures[0].message
    assert lab.calls() == []


DATA = """
    here = lane("here")
    elsewhere = lane("elsewhere")
    a = Toy("a", on(here))
    b = Toy("b", on(here, protect=True), labels={"on": a.url})
    Toy("c", on(here), labels={"on": b.url})
    Toy("d", on(elsewhere))
"""


def test_a_destroy_keeps_what_is_protected_and_what_that_needs(lab: Laboratory) -> None:
    lab.applied(DATA)
    result = lab.engine.destroy()
    assert result.ok
    assert sorted(call for call in lab.calls() if call.startswith("delete")) == ["delete c", "delete d"]
    assert {urn.rpartition("::")[2] for urn in result.kept} == {"a", "b", "here"}
    assert lab.names() == {"a", "b", "here"}


def test_a_destroy_that_includes_data_leaves_nothing(lab: Laboratory) -> None:
    lab.applied(DATA)
    result = lab.engine.destroy(including_data=True)
    assert result.ok
    assert result.kept == ()
    assert lab.objects() == {}
    assert lab.deployment().get("resources") in (None, [])


def test_a_destroy_goes_in_reverse_order_of_dependencies(lab: Laboratory) -> None:
    """Trap 4: with the credentials of today."""
    lab.configure(secrets={"playground:token": "first-token"})
    program = """
        here = on(lane(toy_token=pulumi.Config().require_secret("token")))
        a = Toy("a", here)
        b = Toy("b", here, labels=a.url)
        Toy("c", here, labels=b.url)
    """
    lab.applied(program)
    lab.configure(secrets={"playground:token": "second-token"})
    assert operations(lab.engine.destroy()) == {"a": "delete", "b": "delete", "c": "delete"}
    deletes = [call for call in lab.log() if call["call"] == "delete"]
    assert [call["name"] for call in deletes] == ["c", "b", "a"]
    assert {call["token"] for call in deletes} == {"second-token"}


def test_a_destroy_does_not_ask_for_what_is_gone_already(lab: Laboratory) -> None:
    lab.applied('here = on(lane())\nToy("a", here)\nToy("b", here)')
    lab.lose("a")
    assert lab.engine.destroy().ok
    assert [call for call in lab.calls() if call.startswith("delete")] == ["delete b"]
