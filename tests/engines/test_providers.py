"""Provider instances: which configuration they see, when they change, what they cannot know. On both engines."""

from typing import Any

from tests.engines.laboratory import Laboratory, failed, is_secret, operations


def configured(lab: Laboratory) -> list[dict[str, Any]]:
    return [call for call in lab.log() if call["call"] == "configure"]


def test_without_an_explicit_provider_a_resource_is_refused(lab: Laboratory) -> None:
    """Trap 28: default providers are off, for dynamic resources too."""
    lab.program('Toy("a")')
    result = lab.up(preview=True)
    assert failed(result) == {"a"}
    assert "Default provider for 'pulumi-python' disabled." in result.failures[0].message
    assert "must use an explicit provider." in result.failures[0].message
    assert lab.calls() == []


def test_the_default_provider_records_the_whole_configuration(lab: Laboratory) -> None:
    """Trap 18: a token set without `--secret` is in the state in plain text."""
    lab.configure({"level": 3}, {"toy:plain": "plain-token"}, {"playground:token": "hidden-token"})
    lab.program('Toy("a")')
    assert lab.up().ok
    inputs = lab.resources()["default"]["inputs"]
    assert set(inputs) == {"playground:level", "toy:plain", "playground:token"}
    assert (inputs["playground:level"], inputs["toy:plain"]) == ("3", "plain-token")
    assert is_secret(inputs["playground:token"])
    configure = configured(lab)[-1]
    assert configure["config"] == ["playground:level", "playground:token", "toy:plain"]
    assert operations(lab.up()) == {"a": "same"}


def test_an_explicit_instance_sees_its_own_inputs_only(lab: Laboratory) -> None:
    """Traps 5 and 8: neither the stack's configuration nor the program's settings reach a provider."""
    lab.configure(stack_config={"toy:token": "of-the-stack"})
    lab.program('here = lane()\nToy("a", on(here))')
    assert lab.up().ok
    configure = configured(lab)[-1]
    assert configure["config"] == []
    assert configure["name"] == ""
    assert configure["program_config"] is None
    assert (configure["project"], configure["stack"]) == ("playground", "stack")


def test_one_provider_object_serves_all_resources_of_an_instance(lab: Laboratory) -> None:
    """Trap 9: it is configured once per instance, whatever the number of resources."""
    lab.program("""
        lanes = [lane(f"lane-{i}", toy_token=f"token-{i}") for i in range(2)]
        for i in range(6):
            Toy(f"t{i}", on(lanes[i % 2]))
    """)
    assert lab.up().ok
    names = [call["name"] for call in configured(lab)]
    passes = 2 if lab.kind == "embedded" else 1
    assert sorted(names) == sorted(["token-0", "token-1"] * passes)


def test_moving_to_another_instance_changes_nothing(lab: Laboratory) -> None:
    """Trap 8: so resources may be dealt to lanes by index."""
    program = """
        lanes = [lane(f"lane-{{i}}") for i in range({lanes})]
        for i in range(4):
            Toy(f"t{{i}}", on(lanes[(i + {shift}) % {lanes}]))
    """
    lab.applied(program.format(lanes=2, shift=0))
    for lanes, shift in ((2, 1), (3, 0), (1, 0)):
        lab.program(program.format(lanes=lanes, shift=shift))
        assert operations(lab.up()) == {f"t{i}": "same" for i in range(4)}
    assert lab.calls() == []
    assert lab.resources()["t3"]["provider"].startswith(lab.resources()["lane-0"]["urn"])


def test_a_rotated_token_updates_the_instance_and_touches_no_resource(lab: Laboratory) -> None:
    """Trap 3."""
    lab.configure(secrets={"playground:token": "first-token"})
    program = 'Toy("a", on(lane(toy_token=pulumi.Config().require_secret("token"))))'
    lab.applied(program)
    lab.configure(secrets={"playground:token": "second-token"})
    result = lab.up()
    assert {change.name: change.operation for change in result.changes} == {"lane": "update", "a": "same"}
    assert configured(lab)[-1]["name"] == "second-token"


def test_an_instance_configured_by_an_output_makes_all_on_it_look_changed(lab: Laboratory) -> None:
    """Trap 8: lanes get plain secret configuration."""
    program = """
        a = Toy("a", on(lane("first")), size={size})
        second = lane("second", toy_token=a.url)
        Toy("b", on(second))
    """
    lab.applied(program.format(size=1))
    assert operations(lab.preview()) == {"a": "same", "b": "same"}
    lab.program(program.format(size=2))
    assert operations(lab.preview()) == {"a": "update", "b": "update"}
    assert operations(lab.up()) == {"a": "update", "b": "same"}


def test_a_new_instance_configured_by_an_output_works(lab: Laboratory) -> None:
    lab.program('a = Toy("a", on(lane("first")))\nToy("b", on(lane("second", toy_token=a.url)))')
    assert operations(lab.preview()) == {"a": "create", "b": "create"}
    assert operations(lab.up()) == {"a": "create", "b": "create"}


def test_a_class_in_the_program_lives_on_in_the_state(lab: Laboratory) -> None:
    """Trap 1: a delete runs the code of the last update, not today's."""
    program = """
        import toys

        class Local(toys.ToyProvider):
            def delete(self, id_, props):
                toys.Cloud().call("delete-by-{version}", props["name"])
                toys.Cloud().delete(id_)

        here = on(lane())
        {declaration}
    """
    lab.applied(program.format(version="old", declaration='Toy("a", here, provider=Local())'))
    assert len(str(lab.resources()["a"]["inputs"]["__provider"])) > 400
    lab.program(program.format(version="new", declaration=""))
    assert lab.up().ok
    assert lab.calls() == ["delete-by-old a"]


def test_a_class_in_a_module_is_a_reference(lab: Laboratory) -> None:
    """Trap 1: 56 characters, and the code of today."""
    lab.applied('Toy("a", on(lane()))')
    assert len(lab.resources()["a"]["inputs"]["__provider"]) < 80
    module = lab.project / "toys.py"
    module.write_text(module.read_text().replace('call("delete"', 'call("delete-by-new"'), encoding="utf-8")
    lab.program("lane()")
    assert lab.up().ok
    assert lab.calls() == ["delete-by-new a"]


def test_a_renamed_module_is_not_found_again(lab: Laboratory) -> None:
    """Trap 2: the module's path is part of the state."""
    (lab.project / "former.py").write_text("from toys import ToyProvider as Base\n\n\nclass Former(Base):\n    pass\n")
    lab.applied('import former\nToy("a", on(lane()), provider=former.Former())')
    (lab.project / "former.py").unlink()
    lab.program("lane()")
    result = lab.up()
    assert failed(result) == {"a"}
    assert "No module named 'former'" in result.failures[0].message
