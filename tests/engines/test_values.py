"""Property values, their encodings, what is masked of them, and the small rules on paths and order."""

import base64
import json
import string
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.embedded.errors import RefusedError
from engines.embedded.graph import dependents_first, dependents_of, with_needs
from engines.embedded.ignored import parse_path, restore_ignored
from engines.embedded.masking import Masker
from engines.embedded.properties import (
    UNKNOWN,
    Properties,
    Reference,
    Secret,
    Value,
    carry_secrets,
    changed_keys,
    from_json,
    from_struct,
    plain,
    secret,
    to_json,
    to_struct,
)
from engines.embedded.resource import Resource
from engines.embedded.urns import make_urn, name_of, package_of, qualified_type, reference_urn, type_of

scalars = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.just(UNKNOWN)
values = st.recursive(
    scalars | st.builds(Reference, st.text(min_size=1), st.none() | st.text(min_size=1)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(string.ascii_letters), inner) | st.builds(secret, inner),
    max_leaves=8,
)
bags = st.dictionaries(st.text(string.ascii_letters), values)


@settings(max_examples=40, deadline=None)
@given(bags)
def test_values_survive_the_wire_to_a_program(bag: Properties) -> None:
    assert from_struct(to_struct(bag, for_program=True)) == bag


@settings(max_examples=40, deadline=None)
@given(bags)
def test_values_survive_the_state(bag: Properties) -> None:
    encoded = json.loads(json.dumps(to_json(bag, lambda text: text[::-1])))
    assert from_json(encoded, lambda text: text[::-1]) == bag


@settings(max_examples=40, deadline=None)
@given(values)
def test_a_secret_is_wrapped_once(value: Value) -> None:
    assert secret(secret(value)) == secret(value)
    assert plain(secret(value)) == plain(value)


def test_a_provider_gets_bare_values() -> None:
    bag: Properties = {
        "secret": Secret("x"),
        "custom": Reference("urn", "id"),
        "component": Reference("urn"),
        "unknown": UNKNOWN,
    }
    assert from_struct(to_struct(bag, for_program=False, unknowns=False)) == {
        "secret": "x",
        "custom": "id",
        "component": "urn",
    }


def test_numbers_are_written_without_needless_fractions() -> None:
    assert json.dumps(to_json({"a": 4.0, "b": 2.5}, str)) == '{"a": 4, "b": 2.5}'


@pytest.mark.parametrize(
    ("outs", "ins", "expected"),
    [
        ({"a": "x"}, {"a": Secret("x")}, {"a": Secret("x")}),
        ({"a": "x", "b": "y"}, {"a": Secret("x")}, {"a": Secret("x"), "b": "y"}),
        ({"a": {"b": "x", "c": "y"}}, {"a": {"b": Secret("x")}}, {"a": {"b": Secret("x"), "c": "y"}}),
        ({"a": ["x", "y"]}, {"a": ["x", Secret("y")]}, {"a": Secret(["x", "y"])}),
        ({}, {"a": Secret("x")}, {}),
    ],
)
def test_secretness_goes_from_inputs_to_outputs(outs: Properties, ins: Properties, expected: Properties) -> None:
    assert carry_secrets(outs, ins) == expected


def test_fields_that_differ_are_told_without_regard_to_secretness() -> None:
    old: Properties = {"a": 1.0, "b": Secret("x"), "c": "gone", "d": "y"}
    new: Properties = {"a": 2.0, "b": "x", "d": UNKNOWN, "e": "new"}
    assert changed_keys(old, new) == ("a", "c", "d", "e")


# Masking


@settings(max_examples=40, deadline=None)
@given(st.text(string.ascii_letters + string.digits + "/+&=% '\"\\\n", min_size=3))
def test_a_secret_is_masked_in_every_usual_form(text: str) -> None:
    masker = Masker()
    masker.learn({"deep": [Secret({"er": text})]})
    forms = [text, quote(text, safe=""), base64.b64encode(text.encode()).decode(), json.dumps(text)[1:-1]]
    assert [masker.mask(form) for form in forms] == ["[secret]"] * len(forms)


def test_what_is_not_secret_or_very_short_stays() -> None:
    masker = Masker()
    masker.learn({"open": "readable", "short": Secret("ab"), "number": Secret(5432.0), "nested": Secret(["hidden"])})
    assert masker.mask("readable ab 5432 hidden") == "readable ab [secret] [secret]"


def test_the_longer_secret_is_masked_first() -> None:
    masker = Masker()
    masker.learn_texts(["abc", "abcdef"])
    assert masker.mask("abcdef abc") == "[secret] [secret]"


# Names


def test_urns_are_built_and_taken_apart() -> None:
    stack = make_urn("dev", "p", "", "pulumi:pulumi:Stack", "p-dev")
    parent = make_urn("dev", "p", stack, "a:b:C", "outer")
    child = make_urn("dev", "p", parent, "d:e:F", "in::ner")
    assert child == "urn:pulumi:dev::p::a:b:C$d:e:F::in::ner"
    assert (qualified_type(child), type_of(child), name_of(child)) == ("a:b:C$d:e:F", "d:e:F", "in::ner")
    assert (package_of("d:e:F"), package_of("pulumi:providers:aws")) == ("d", "aws")
    assert reference_urn(f"{parent}::some-id") == parent


# Ignored paths


@pytest.mark.parametrize(
    ("path", "new", "old", "expected"),
    [
        ("a", {"a": 2.0}, {"a": 1.0}, {"a": 1.0}),
        ("a", {"a": 2.0}, {}, {}),
        ("a", {}, {"a": 1.0}, {"a": 1.0}),
        ("a.b", {"a": {"b": 2.0, "c": 3.0}}, {"a": {"b": 1.0}}, {"a": {"b": 1.0, "c": 3.0}}),
        ("a[1]", {"a": [1.0, 2.0]}, {"a": [0.0, 9.0]}, {"a": [1.0, 9.0]}),
        ("a[1]", {"a": [1.0]}, {"a": [0.0, 9.0]}, {"a": [1.0]}),
        ('a["b.c"]', {"a": {"b.c": 2.0}}, {"a": {"b.c": 1.0}}, {"a": {"b.c": 1.0}}),
        ("a.b", {"a": "text"}, {"a": {"b": 1.0}}, {"a": "text"}),
    ],
)
def test_an_ignored_path_keeps_the_old_value(path: str, new: Properties, old: Properties, expected: Properties) -> None:
    before = json.dumps(new)
    assert restore_ignored(new, old, [path]) == expected
    assert json.dumps(new) == before


def test_a_wildcard_path_is_refused() -> None:
    with pytest.raises(RefusedError, match="the property path 'a\\[\\*\\]'"):
        parse_path("a[*]")


# Order


def graph(needs: Mapping[str, str]) -> dict[int, Resource]:
    return {
        key: Resource(
            f"urn:pulumi:s::p::t::{name}", "t", custom=True, dependencies=tuple(f"urn:pulumi:s::p::t::{n}" for n in of)
        )
        for key, (name, of) in enumerate(needs.items())
    }


def test_deletions_come_after_those_of_all_dependents() -> None:
    order: list[str] = []

    def act(_key: int, resource: Resource) -> bool:
        order.append(name_of(resource.urn))
        return True

    dependents_first(graph({"a": "", "b": "a", "c": "a", "d": "bc", "e": ""}), act, 4, lambda: False)
    assert sorted(order) == list("abcde")
    assert order.index("d") < min(order.index("b"), order.index("c")) < order.index("a")


def test_what_a_failed_deletion_needs_is_not_deleted() -> None:
    deleted: list[str] = []

    def act(_key: int, resource: Resource) -> bool:
        deleted.append(name_of(resource.urn))
        return name_of(resource.urn) != "b"

    dependents_first(graph({"a": "", "b": "a", "c": "a", "d": ""}), act, 1, lambda: False)
    assert sorted(deleted) == ["b", "c", "d"]


def test_nothing_more_is_deleted_once_a_run_stops() -> None:
    deleted: list[int] = []

    def act(key: int, _resource: Resource) -> bool:
        deleted.append(key)
        return True

    dependents_first(graph({"a": "", "b": "a", "c": "b"}), act, 1, lambda: bool(deleted))
    assert deleted == [2]


def test_dependents_and_needs_are_found_at_any_distance() -> None:
    resources = graph({"a": "", "b": "a", "c": "b", "d": ""})
    assert [key for key, _ in dependents_of(resources, 0)] == [1, 2]
    assert with_needs(resources, [2]) == {0, 1, 2}
