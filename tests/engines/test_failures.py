"""One bad resource: what else is done, what is not, and what the state says. The same rules on both engines."""

import pytest

from engines.engine import EngineError
from tests.engines.laboratory import Laboratory, failed, operations

TWELVE = """
    here = on(lane())
    toys = [Toy(f"t{i}", here) for i in range(12)]
    Toy("child", here, labels=toys[3].url)
    Toy("grandchild", here, labels=pulumi.Output.all(toys[3].url, toys[4].url))
"""


def test_one_failed_create_leaves_the_others_alone_and_its_dependents_out(lab: Laboratory) -> None:
    lab.program(TWELVE)
    lab.fault("t3", "create", "no capacity in region ru-1")
    result = lab.up(continue_on_error=True)
    assert "t3" in failed(result)
    message = next(failure.message for failure in result.failures if failure.name == "t3")
    assert "no capacity in region ru-1" in message
    created = {call.removeprefix("create ") for call in lab.calls()}
    assert created == {f"t{i}" for i in range(12)}
    assert lab.names() == {f"t{i}" for i in range(12) if i != 3} | {"lane"}


def test_a_failed_create_records_nothing_and_the_next_run_makes_it(lab: Laboratory) -> None:
    """Trap 7: neither a resource nor a pending operation."""
    lab.program(TWELVE)
    fault = lab.fault("t3", "create", "no capacity")
    assert not lab.up(continue_on_error=True).ok
    assert not lab.deployment().get("pending_operations")
    fault.unlink()
    lab.calls()
    result = lab.up()
    assert result.ok
    assert lab.calls() == ["create t3", "create child", "create grandchild"] or set(lab.calls()) == set()
    assert lab.names() == {f"t{i}" for i in range(12)} | {"lane", "child", "grandchild"}


def test_a_failed_update_keeps_the_old_state(lab: Laboratory) -> None:
    lab.applied('Toy("a", on(lane()), size=1)')
    lab.program('Toy("a", on(lane()), size=2)')
    fault = lab.fault("a", "update", "locked")
    assert failed(lab.up()) == {"a"}
    assert lab.resources()["a"]["inputs"]["size"] == 1
    assert not lab.deployment().get("pending_operations")
    fault.unlink()
    assert operations(lab.up()) == {"a": "update"}


def test_nothing_is_deleted_while_its_successor_failed(lab: Laboratory) -> None:
    """Facts 2.8: with `continue_on_error` the old object would be deleted all the same."""
    lab.applied('Toy("old", on(lane()))')
    lab.program('Toy("new", on(lane()))')
    lab.fault("new", "create", "no capacity")
    assert failed(lab.up()) == {"new"}
    assert lab.calls() == ["create new"]
    assert set(lab.objects()) == {"old"}
    assert "old" in lab.names()


def test_a_failed_delete_stays_with_all_that_it_needs(lab: Laboratory) -> None:
    lab.applied("""
        here = on(lane())
        a = Toy("a", here)
        Toy("b", here, labels=a.url)
    """)
    lab.program("lane()")
    lab.fault("b", "delete", "busy")
    assert failed(lab.up()) == {"b"}
    assert lab.calls() == ["delete b"]
    assert {"a", "b"} < lab.names()


def test_inputs_that_the_provider_refuses_stop_the_run_before_it_begins(lab: Laboratory) -> None:
    """Trap 13: check runs in the preview."""
    lab.program('here = on(lane())\nToy("a", here)\nToy("b", here, size=99)')
    result = lab.up(preview=True)
    assert failed(result) == {"b"}
    message = result.failures[0].message
    assert "property size value {99} has a problem: must be at most 90" in message
    assert lab.calls() == []


def test_a_diff_that_raises_ends_the_whole_run(lab: Laboratory) -> None:
    """Facts 2.8: so `diff` must never raise."""
    program = 'here = on(lane())\nToy("a", here, size={size})\nToy("b", here, size={size})'
    lab.applied(program.format(size=1))
    lab.program(program.format(size=2))
    lab.fault("a", "diff", "cannot compare")
    result = lab.up(preview=True)
    assert "a" in failed(result)
    assert "cannot compare" in result.failures[0].message
    assert lab.calls() == []


def test_a_program_that_raises_deletes_nothing(lab: Laboratory) -> None:
    lab.applied('here = on(lane())\nToy("a", here)\nToy("b", here)')
    lab.program('Toy("a", on(lane()))\nraise ValueError("tenants.yaml is wrong")')
    result = lab.up(preview=True)
    assert [failure.name for failure in result.failures] == [""]
    assert "tenants.yaml is wrong" in result.failures[0].message
    assert lab.calls() == []
    assert "b" in lab.names()


def test_a_run_error_of_the_program_is_told_without_a_traceback(lab: Laboratory) -> None:
    lab.program('raise pulumi.RunError("set timeweb:token first")')
    result = lab.up(preview=True)
    assert not result.ok
    assert "set timeweb:token first" in result.failures[0].message
    assert "Traceback" not in result.failures[0].message


def test_an_output_among_the_outputs_of_a_provider_fails_the_create(lab: Laboratory) -> None:
    """Trap 20: `outs` may hold plain JSON only."""
    lab.program("""
        import toys
        from pulumi.dynamic import CreateResult

        class Wrong(toys.ToyProvider):
            def create(self, props):
                super().create(props)
                return CreateResult("id", {"name": pulumi.Output.from_input("x")})

        Toy("a", on(lane()), provider=Wrong())
    """)
    assert "a" in failed(lab.up())
    assert set(lab.objects()) == {"a"}  # the orphan
    assert "a" not in lab.names()


def test_a_read_result_without_arguments_is_an_error(lab: Laboratory) -> None:
    """Trap 14: gone is `ReadResult(None, {})`."""
    lab.applied("""
        import toys
        from pulumi.dynamic import ReadResult

        class Wrong(toys.ToyProvider):
            def read(self, id_, props):
                return ReadResult()

        Toy("a", on(lane()), provider=Wrong())
    """)
    result = lab.engine.refresh()
    assert "a" in failed(result)
    assert "'NoneType' object does not support item assignment" in result.failures[0].message
    assert "a" in lab.names()


def test_importing_a_dynamic_resource_fails(lab: Laboratory) -> None:
    """Trap 6: adopt in `create` instead."""
    lab.program('Toy("a", on(lane(), import_="a-1"))')
    if lab.kind == "embedded":
        with pytest.raises(EngineError, match="does not implement import of existing resources"):
            lab.up()
    else:
        assert "a" in failed(lab.up())
    assert "a" not in lab.names()
