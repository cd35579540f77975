"""What cannot change in place is made anew, in either order, with what depends on it: the same on both engines."""

from tests.engines.laboratory import Laboratory, failed, operations

CHAIN = """
    here = on(lane())
    a = Toy("a", here, kind="{kind}", first={first})
    Toy("b", here, {field}=a.url)
"""


def chain(kind: str, *, first: bool = False, field: str = "labels") -> str:
    return CHAIN.format(kind=kind, first=first, field=field)


def test_the_new_one_comes_first_and_the_old_one_goes_last(lab: Laboratory) -> None:
    lab.applied(chain("x"))
    lab.program(chain("y"))
    assert operations(lab.preview()) == {"a": "replace", "b": "update"}
    assert operations(lab.up()) == {"a": "replace", "b": "update"}
    assert lab.calls() == ["create a", "update b", "delete a"]
    assert lab.objects()["a"]["kind"] == "y"
    assert len(lab.deployment()["resources"]) == 4


def test_the_old_one_goes_first_where_the_provider_says_so(lab: Laboratory) -> None:
    """Trap 15: `delete_before_replace` where a name is unique."""
    lab.applied(chain("x", first=True))
    lab.program(chain("y", first=True))
    assert operations(lab.up()) == {"a": "replace", "b": "update"}
    assert lab.calls() == ["delete a", "create a", "update b"]


def test_the_program_decides_the_order_over_the_provider(lab: Laboratory) -> None:
    program = 'Toy("a", on(lane(), delete_before_replace={when}), kind="{kind}", first={first})'
    lab.applied(program.format(when=True, kind="x", first=False))
    lab.program(program.format(when=True, kind="y", first=False))
    assert operations(lab.up()) == {"a": "replace"}
    assert lab.calls() == ["delete a", "create a"]


def test_what_must_be_made_anew_itself_goes_before_what_it_depends_on(lab: Laboratory) -> None:
    lab.applied(chain("x", first=True, field="kind"))
    lab.program(chain("y", first=True, field="kind"))
    assert operations(lab.up()) == {"a": "replace", "b": "replace"}
    assert lab.calls() == ["delete b", "delete a", "create a", "create b"]
    assert lab.names() == {"lane", "a", "b"}


def test_what_goes_with_a_replaced_one_is_made_anew_with_it(lab: Laboratory) -> None:
    program = """
        here = lane()
        a = Toy("a", on(here), kind="{kind}", first=True)
        Toy("b", on(here, deleted_with=a))
    """
    lab.applied(program.format(kind="x"))
    lab.program(program.format(kind="y"))
    assert operations(lab.up()) == {"a": "replace", "b": "replace"}
    assert lab.calls() == ["delete a", "create a", "create b"]


def test_a_failed_replacement_leaves_the_old_one(lab: Laboratory) -> None:
    lab.applied(chain("x"))
    lab.program(chain("y"))
    lab.fault("a", "create", "no capacity")
    assert failed(lab.up()) >= {"a"}
    assert lab.calls() == ["create a"]
    assert lab.objects()["a"]["kind"] == "x"
    assert lab.resources()["a"]["inputs"]["kind"] == "x"


def test_a_replacement_that_failed_half_way_is_taken_up_again(lab: Laboratory) -> None:
    lab.applied(chain("x", first=True))
    lab.program(chain("y", first=True))
    fault = lab.fault("a", "create", "no capacity")
    assert failed(lab.up()) >= {"a"}
    assert lab.calls() == ["delete a", "create a"]
    assert lab.resources()["a"]["pendingReplacement"] is True
    fault.unlink()
    assert lab.up().ok
    assert "create a" in lab.calls()
    assert "pendingReplacement" not in lab.resources()["a"]
    assert set(lab.objects()) == {"a", "b"}


def test_an_old_one_that_could_not_be_deleted_is_deleted_by_the_next_run(lab: Laboratory) -> None:
    lab.applied('Toy("a", on(lane()), kind="x")')
    lab.program('Toy("a", on(lane()), kind="y")')
    fault = lab.fault("a", "delete", "busy")
    assert failed(lab.up()) == {"a"}
    fault.unlink()
    lab.calls()
    assert lab.up().ok
    assert lab.calls() == ["delete a"]
    assert len(lab.objects()) == 1


def test_a_replaced_one_that_is_retained_stays_in_the_cloud(lab: Laboratory) -> None:
    """`retain_on_delete` holds for the delete at the end of a replacement too: only the state forgets."""
    program = 'Toy("a", on(lane(), retain_on_delete=True), kind="{kind}")'
    lab.applied(program.format(kind="x"))
    lab.program(program.format(kind="y"))
    assert operations(lab.up()) == {"a": "replace"}
    assert lab.calls() == ["create a"]
    assert len(list((lab.cloud / "objects").iterdir())) == 2
    assert lab.names() == {"lane", "a"}


def test_a_renamed_one_is_replaced_under_its_new_name(lab: Laboratory) -> None:
    """Trap 27: an alias leads from the old name to the object that is to go."""
    lab.applied('Toy("a", on(lane()), kind="x")')
    lab.program('Toy("b", on(lane(), aliases=[pulumi.Alias(name="a")]), name="a", kind="y")')
    assert operations(lab.up()) == {"b": "replace"}
    assert lab.calls() == ["create a", "delete a"]
    assert lab.names() == {"lane", "b"}
