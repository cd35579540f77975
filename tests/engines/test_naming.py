"""URNs, parents, components and aliases: the same on both engines."""

from tests.engines.laboratory import Laboratory, failed, operations

TYPE = "pulumi-python:dynamic/toy:Toy"
PREFIX = "urn:pulumi:dev::playground::"


def test_a_type_token_says_what_the_resource_is(lab: Laboratory) -> None:
    """Trap 16: without module and name every log line says `dynamic:Resource`."""
    lab.applied('Toy("a", on(lane()))')
    assert lab.resources()["a"]["urn"] == f"{PREFIX}{TYPE}::a"
    assert lab.resources()["lane"]["urn"] == f"{PREFIX}pulumi:providers:pulumi-python::lane"


def test_a_child_carries_the_types_of_its_parents_and_their_provider(lab: Laboratory) -> None:
    lab.applied("""
        here = lane()
        outer = Box("outer", pulumi.ResourceOptions(providers=[here]))
        Box("inner", pulumi.ResourceOptions(parent=outer))
        Toy("leaf", pulumi.ResourceOptions(parent=outer.toy, provider=here))
    """)
    state = lab.resources()
    assert state["outer-toy"]["urn"] == f"{PREFIX}toys:index:Box${TYPE}::outer-toy"
    assert state["inner-toy"]["urn"] == f"{PREFIX}toys:index:Box$toys:index:Box${TYPE}::inner-toy"
    assert state["leaf"]["urn"] == f"{PREFIX}toys:index:Box${TYPE}${TYPE}::leaf"
    assert state["inner"]["parent"] == state["outer"]["urn"]
    assert state["inner-toy"]["provider"] == f"{state['lane']['urn']}::{state['lane']['id']}"
    assert state["outer"]["outputs"] == {"url": state["outer-toy"]["outputs"]["url"]}


def test_children_inherit_protection_from_their_component(lab: Laboratory) -> None:
    lab.applied('Box("box", pulumi.ResourceOptions(providers=[lane()], protect=True))')
    assert lab.resources()["box-toy"]["protect"] is True


def test_the_same_name_twice_is_refused(lab: Laboratory) -> None:
    lab.program('here = on(lane())\nToy("a", here)\nToy("a", here)')
    result = lab.up(preview=True)
    assert failed(result) == {"a"}
    assert "Duplicate resource URN" in result.failures[0].message
    assert lab.calls() == []


def test_a_renamed_resource_without_an_alias_is_made_anew(lab: Laboratory) -> None:
    """Trap 27: a new name is another resource."""
    lab.applied('Toy("a", on(lane()))')
    lab.program('Toy("b", on(lane()), name="a")')
    assert operations(lab.up()) == {"a": "delete", "b": "create"}
    assert lab.calls() == ["create a", "delete a"]


def test_an_alias_by_name_keeps_the_resource(lab: Laboratory) -> None:
    lab.applied('Toy("a", on(lane()))')
    identity = lab.resources()["a"]["id"]
    lab.program('Toy("b", on(lane(), aliases=[pulumi.Alias(name="a")]), name="a")')
    assert operations(lab.up()) == {"b": "same"}
    assert lab.calls() == []
    assert lab.resources()["b"]["id"] == identity
    assert "a" not in lab.resources()
    lab.program('Toy("b", on(lane()), name="a")')
    assert operations(lab.up()) == {"b": "same"}


def test_an_alias_by_urn_keeps_the_resource_and_its_dependents(lab: Laboratory) -> None:
    lab.applied("""
        here = lane()
        a = Toy("a", on(here))
        Toy("user", on(here), labels={"of": a.url})
    """)
    lab.program(f"""
        here = lane()
        b = Toy("b", on(here, aliases=["{PREFIX}{TYPE}::a"]), name="a")
        Toy("user", on(here), labels={{"of": b.url}})
    """)
    assert operations(lab.up()) == {"b": "same", "user": "same"}
    assert lab.resources()["user"]["dependencies"] == [f"{PREFIX}{TYPE}::b"]


def test_a_resource_moves_into_a_component_by_an_alias_of_its_parent(lab: Laboratory) -> None:
    lab.applied('Toy("box-toy", on(lane()))')
    lab.program("""
        import toys

        class Moved(pulumi.ComponentResource):
            def __init__(self, name, opts):
                super().__init__("toys:index:Box", name, None, opts)
                alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
                Toy(f"{name}-toy", pulumi.ResourceOptions(parent=self, aliases=[alias]))

        Moved("box", pulumi.ResourceOptions(providers=[lane()]))
    """)
    assert operations(lab.up()) == {"box-toy": "same"}
    assert lab.resources()["box-toy"]["urn"] == f"{PREFIX}toys:index:Box${TYPE}::box-toy"


def test_children_follow_their_renamed_component(lab: Laboratory) -> None:
    """Trap 27: a component's new name moves all children, with an alias on the component alone."""
    lab.applied('Box("old", pulumi.ResourceOptions(providers=[lane()]))')
    lab.program("""
        box = Box("new", pulumi.ResourceOptions(providers=[lane()], aliases=[pulumi.Alias(name="old")]))
    """)
    result = lab.up()
    assert operations(result) == {"new-toy": "update"}  # its own name changed with it
    assert lab.calls() == ["update new-toy"]
    assert {"new", "new-toy"} < lab.names()
    assert not {"old", "old-toy"} & lab.names()


def test_a_component_of_another_type_is_another_component(lab: Laboratory) -> None:
    """Trap 27: the type is part of the children's names."""
    lab.applied('Box("box", pulumi.ResourceOptions(providers=[lane()]))')
    lab.program('Box("box", pulumi.ResourceOptions(providers=[lane()]), token="toys:index:Case")')
    assert lab.up().ok
    assert sorted(lab.calls()) == ["create box-toy", "delete box-toy"]
