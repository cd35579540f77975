"""Create, same, update, delete, replace: the same on both engines, calls to the cloud included."""

from tests.engines.laboratory import Laboratory, operations

TWO = """
    here = on(lane())
    a = Toy("a", here, size={size})
    b = Toy("b", here, labels={{"of": a.url}})
"""


def test_a_program_is_created_in_order_of_its_dependencies_and_then_the_same(lab: Laboratory) -> None:
    lab.program(TWO.format(size=1))
    assert operations(lab.up()) == {"a": "create", "b": "create"}
    assert lab.calls() == ["create a", "create b"]
    assert operations(lab.up()) == {"a": "same", "b": "same"}
    assert lab.calls() == []
    entry = lab.resources()["b"]
    urn_of_a = lab.resources()["a"]["urn"]
    assert entry["dependencies"] == [urn_of_a]
    assert entry["propertyDependencies"]["labels"] == [urn_of_a]
    assert entry["propertyDependencies"]["name"] == []


def test_a_preview_names_the_changes_and_makes_none(lab: Laboratory) -> None:
    lab.program(TWO.format(size=1))
    assert operations(lab.preview()) == {"a": "create", "b": "create"}
    assert lab.calls() == []
    assert lab.deployment().get("resources") in (None, [])


def test_a_change_is_an_update_in_place(lab: Laboratory) -> None:
    lab.applied(TWO.format(size=1))
    lab.program(TWO.format(size=2))
    assert operations(lab.up()) == {"a": "update", "b": "same"}
    assert lab.calls() == ["update a"]
    assert lab.objects()["a"]["size"] == 2


def test_a_preview_cannot_know_what_an_update_answers(lab: Laboratory) -> None:
    """Trap 12: an update of one resource shows all that take its outputs as changed."""
    lab.applied(TWO.format(size=1))
    lab.program(TWO.format(size=2))
    assert operations(lab.preview()) == {"a": "update", "b": "update"}


def test_what_is_dropped_is_deleted_dependents_first(lab: Laboratory) -> None:
    """Trap 33: what the program does not declare is deleted."""
    lab.applied(TWO.format(size=1))
    lab.program("lane()")
    assert operations(lab.preview()) == {"a": "delete", "b": "delete"}
    assert operations(lab.up()) == {"a": "delete", "b": "delete"}
    assert lab.calls() == ["delete b", "delete a"]
    assert lab.names() == {"lane"}


def test_an_empty_program_leaves_nothing(lab: Laboratory) -> None:
    lab.applied(TWO.format(size=1))
    lab.program("")
    assert operations(lab.up()) == {"a": "delete", "b": "delete"}
    assert lab.names() == set()


def test_values_arrive_as_the_wire_leaves_them(lab: Laboratory) -> None:
    """Trap 10: numbers are floats, None is dropped, `__provider` is among the properties."""
    lab.program('Toy("a", on(lane()), size=8, kind=None, labels={"x": None, "y": [1, None, True]})')
    lab.up()
    (created,) = [call for call in lab.log() if call["call"] == "create"]
    assert created["types"] == {"__provider": "str", "labels": "dict", "name": "str", "size": "float"}
    assert lab.objects()["a"]["labels"] == {"y": [1.0, None, True]}


def test_checks_and_diffs_of_a_preview_meet_unknown_values(lab: Laboratory) -> None:
    """Trap 12: unknown values reach check and diff."""
    lab.program(TWO.format(size=1))
    lab.preview()
    checked = {call["name"]: call["news"] for call in lab.log() if call["call"] == "check"}
    assert checked["b"]["labels"] == "dict"
    lab.program('here = on(lane())\na = Toy("a", here)\nb = Toy("b", here, kind=a.url)')
    lab.preview()
    checked = {call["name"]: call["news"] for call in lab.log() if call["call"] == "check"}
    assert checked["b"]["kind"] == "Unknown"


def test_old_outputs_are_what_a_diff_compares_with(lab: Laboratory) -> None:
    """Trap 11: an output set that does not echo an input makes it look changed for ever."""
    program = """
        import toys
        from pulumi.dynamic import CreateResult, UpdateResult

        class Forgetful(toys.ToyProvider):
            def outputs(self, identity, props):
                return {"name": props["name"]}

        Toy("a", on(lane()), provider=Forgetful(), size=3)
    """
    lab.program(program)
    lab.up()
    assert operations(lab.up()) == {"a": "update"}
    assert operations(lab.up()) == {"a": "update"}


def test_a_diff_that_does_not_say_is_answered_from_the_inputs(lab: Laboratory) -> None:
    program = """
        import toys
        from pulumi.dynamic import DiffResult

        class Silent(toys.ToyProvider):
            def diff(self, id_, olds, news):
                return DiffResult()

        Toy("a", on(lane()), provider=Silent(), size={size})
    """
    lab.applied(program.format(size=1))
    lab.program(program.format(size=1))
    assert operations(lab.up()) == {"a": "same"}
    lab.program(program.format(size=2))
    assert operations(lab.up()) == {"a": "update"}


def test_outputs_of_the_stack_hold_what_the_program_exports(lab: Laboratory) -> None:
    lab.program("""
        a = Toy("a", on(lane()), size=2)
        pulumi.export("plain", {"size": a.size, "list": [1, 2.5, None], "none": None, "yes": True})
        pulumi.export("name", pulumi.Output.concat("toy ", a.name))
    """)
    assert lab.up().ok
    plain = {"size": 2, "list": [1, 2.5, None], "none": None, "yes": True}
    assert lab.engine.outputs() == {"plain": plain, "name": "toy a"}
    lab.program('Toy("a", on(lane()), size=2)')
    lab.up()
    assert lab.engine.outputs() == {}


def test_a_resource_made_inside_apply_is_invisible_in_a_preview(lab: Laboratory) -> None:
    """Trap 22: what exists must not depend on an output."""
    lab.program("""
        here = on(lane())
        a = Toy("a", here)
        a.url.apply(lambda url: Toy("b", here))
    """)
    assert operations(lab.preview()) == {"a": "create"}
    assert operations(lab.up()) == {"a": "create", "b": "create"}


def test_depends_on_orders_without_a_value(lab: Laboratory) -> None:
    lab.program("""
        here = lane()
        a = Toy("a", on(here))
        Toy("b", on(here, depends_on=[a]))
    """)
    assert lab.up().ok
    assert lab.calls() == ["create a", "create b"]
    assert lab.resources()["b"]["dependencies"] == [lab.resources()["a"]["urn"]]


def test_ignored_changes_keep_the_recorded_value(lab: Laboratory) -> None:
    program = """
        Toy("a", on(lane(), ignore_changes=["size", "labels.x"]), size={size}, labels={labels})
    """
    lab.applied(program.format(size=1, labels={"x": 1, "y": 1}))
    lab.program(program.format(size=2, labels={"x": 2, "y": 1}))
    assert operations(lab.up()) == {"a": "same"}
    lab.program(program.format(size=2, labels={"x": 2, "y": 2}))
    assert operations(lab.up()) == {"a": "update"}
    assert lab.objects()["a"]["labels"] == {"x": 1, "y": 2}
    assert lab.objects()["a"]["size"] == 1


def test_a_retained_resource_leaves_the_state_and_stays_in_the_cloud(lab: Laboratory) -> None:
    lab.applied('Toy("a", on(lane(), retain_on_delete=True))')
    lab.program("lane()")
    assert operations(lab.up()) == {"a": "delete"}
    assert lab.calls() == []
    assert set(lab.objects()) == {"a"}


def test_what_is_deleted_with_another_is_not_deleted_itself(lab: Laboratory) -> None:
    lab.applied("""
        here = lane()
        a = Toy("a", on(here))
        Toy("b", on(here, deleted_with=a))
    """)
    lab.program("lane()")
    assert operations(lab.up()) == {"a": "delete", "b": "delete"}
    assert lab.calls() == ["delete a"]
