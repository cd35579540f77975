"""Property values as the engine holds them, and their two encodings: protobuf Struct on the wire, JSON in the state.

A value is None, a bool, a float, a str, a list or a dict of values, or one of Secret, Reference and UNKNOWN.
The signature keys are those of Pulumi's wire format.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from google.protobuf import struct_pb2

from engines.embedded.errors import RefusedError, ResourceError

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public constant of the wire format
REFERENCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown(Enum):
    """The one value that a preview cannot know."""

    UNKNOWN = UNKNOWN_TEXT


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that is encrypted in the state and never shown; it holds no further Secret inside."""

    value: "Value" = field(repr=False)


@dataclass(frozen=True)
class Reference:
    """Another resource, given as a value."""

    urn: str
    id: "str | Unknown | None" = None


Value = None | bool | float | str | list["Value"] | dict[str, "Value"] | Secret | Reference | Unknown
Properties = dict[str, Value]


def secret(value: Value) -> Secret:
    """Wrap a value once, however many secrets it holds."""
    return Secret(plain(value))


def plain(value: Value) -> Value:
    """Answer the value without its secret wrappers."""
    if isinstance(value, Secret):
        return value.value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def plain_properties(properties: Properties) -> Properties:
    """Answer the properties without secret wrappers."""
    return {key: plain(value) for key, value in properties.items()}


def _children(value: Value) -> Iterator[Value]:
    if isinstance(value, Secret):
        yield value.value
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def holds_secret(value: Value) -> bool:
    """Say whether a secret is in the value, at any depth."""
    return isinstance(value, Secret) or any(holds_secret(child) for child in _children(value))


def holds_unknown(value: Value) -> bool:
    """Say whether an unknown is in the value, at any depth."""
    if isinstance(value, Reference):
        return value.id is UNKNOWN
    return value is UNKNOWN or any(holds_unknown(child) for child in _children(value))


def secret_texts(value: Value, *, inside: bool = False) -> Iterator[str]:
    """Every text or number that lies in a secret of the value."""
    inside = inside or isinstance(value, Secret)
    if inside and isinstance(value, str):
        yield value
    elif inside and isinstance(value, float):
        yield number_text(value)
    for child in _children(value):
        yield from secret_texts(child, inside=inside)


def carry_secrets(outs: Properties, ins: Properties) -> Properties:
    """Answer outs, each secret whose in of the same key holds a secret; objects are marked member by member."""
    carried = dict(outs)
    for key in outs.keys() & ins.keys():
        out_value, in_value = outs[key], ins[key]
        if isinstance(out_value, dict) and isinstance(in_value, dict):
            carried[key] = carry_secrets(out_value, in_value)
        elif not isinstance(out_value, Secret) and holds_secret(in_value):
            carried[key] = secret(out_value)
    return carried


def changed_keys(old: Properties, new: Properties) -> tuple[str, ...]:
    """Sorted keys whose plain values differ."""
    keys = old.keys() | new.keys()
    missing = object()
    return tuple(
        sorted(key for key in keys if plain_or(old, key, missing) != plain_or(new, key, missing) or _unknown(new, key))
    )


def plain_or(properties: Properties, key: str, default: object) -> object:
    """Answer the plain value of a key, or the default."""
    return plain(properties[key]) if key in properties else default


def _unknown(properties: Properties, key: str) -> bool:
    return key in properties and holds_unknown(properties[key])


def number_text(number: float) -> str:
    """Write a number as Pulumi does: without a fraction where there is none."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e21 else repr(number)  # noqa: PLR2004 - Go's limit


# Struct


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Decode what came over the wire; every number is a float."""
    return {key: _from_wire(value) for key, value in struct.fields.items()}


def _from_wire(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _from_wire_object(value.struct_value)
    if kind == "list_value":
        return [_from_wire(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        return value.number_value
    return value.bool_value if kind == "bool_value" else None


def _from_wire_object(struct: struct_pb2.Struct) -> Value:
    properties = from_struct(struct)
    signature = properties.get(SIGNATURE)
    if signature is None:
        return properties
    if signature == SECRET_SIGNATURE:
        return secret(properties.get("value"))
    if signature == REFERENCE_SIGNATURE:
        return _reference(properties)
    raise RefusedError("assets, archives and output values")


def _reference(properties: Properties) -> Reference:
    identity = properties.get("id")
    urn = properties.get("urn")
    if not isinstance(urn, str):
        raise ResourceError("a resource was given as an input before it has a URN")
    if identity == "":
        return Reference(urn, UNKNOWN)
    return Reference(urn, identity if isinstance(identity, str | Unknown) else None)


def to_struct(properties: Properties, *, for_program: bool, unknowns: bool = True) -> struct_pb2.Struct:
    """Encode for the wire. The program gets secrets and references marked, a provider gets the bare values."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        wire = _to_wire(value, for_program=for_program)
        if unknowns or not holds_unknown(value):
            struct.fields[key].CopyFrom(wire)
    return struct


def _to_wire(value: Value, *, for_program: bool) -> struct_pb2.Value:
    if isinstance(value, Secret):
        if not for_program:
            return _to_wire(value.value, for_program=False)
        return _to_wire({SIGNATURE: SECRET_SIGNATURE, "value": value.value}, for_program=True)
    if isinstance(value, Reference):
        return _to_wire(_wire_reference(value, for_program=for_program), for_program=for_program)
    if isinstance(value, list):
        items = [_to_wire(item, for_program=for_program) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    if isinstance(value, dict):
        return struct_pb2.Value(struct_value=to_struct(value, for_program=for_program))
    return _scalar_to_wire(value)


def _wire_reference(reference: Reference, *, for_program: bool) -> Value:
    if not for_program:
        return reference.urn if reference.id is None else reference.id
    members: Properties = {SIGNATURE: REFERENCE_SIGNATURE, "urn": reference.urn}
    return members if reference.id is None else members | {"id": reference.id}


def _scalar_to_wire(value: bool | float | str | Unknown | None) -> struct_pb2.Value:  # noqa: FBT001 - a value, not a flag
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    return struct_pb2.Value(string_value=UNKNOWN_TEXT if isinstance(value, Unknown) else value)


# JSON


def to_json(value: Value, encrypt: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    """Encode for the state; a secret becomes Pulumi's object with the ciphertext of its JSON."""
    if isinstance(value, Secret):
        text = json.dumps(to_json(value.value, encrypt), separators=(",", ":"), ensure_ascii=False)
        return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": encrypt(text)}
    if isinstance(value, Reference):
        identity = {} if value.id is None else {"id": to_json(value.id, encrypt)}
        return {SIGNATURE: REFERENCE_SIGNATURE, "urn": value.urn, "packageVersion": "", **identity}
    if isinstance(value, list):
        return [to_json(item, encrypt) for item in value]
    if isinstance(value, dict):
        return {key: to_json(value[key], encrypt) for key in sorted(value)}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.value if isinstance(value, Unknown) else value


def from_json(value: Any, decrypt: Callable[[str], str]) -> Value:  # noqa: ANN401 - JSON
    """Decode what a state holds."""
    if isinstance(value, Mapping):
        return _object_from_json(value, decrypt)
    if isinstance(value, list):
        return [from_json(item, decrypt) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    return UNKNOWN if value == UNKNOWN_TEXT else str(value)


def _object_from_json(value: Mapping[str, Any], decrypt: Callable[[str], str]) -> Value:
    signature = value.get(SIGNATURE)
    if signature == SECRET_SIGNATURE:
        text = value["plaintext"] if "plaintext" in value else decrypt(value["ciphertext"])
        return secret(from_json(json.loads(text), decrypt))
    members = {key: from_json(item, decrypt) for key, item in value.items()}
    if signature == REFERENCE_SIGNATURE:
        return _reference(members)
    if signature is not None:
        raise RefusedError("assets and archives")
    return members
