"""Pydantic models as reference: a table of keys for each model and for each model inside it."""

from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import Doc

from docs.markdown import anchor, code, table

Model = type[BaseModel]
PLAIN: Mapping[object, str] = {str: "text", int: "whole number", bool: "`true` or `false`", float: "number"}


def model_sections(models: Mapping[str, Model], hidden: Collection[str] = ()) -> list[str]:
    """Sections for the models by their headings, then for all models inside; `hidden` fields are keys of rows."""
    headings = {model: heading for heading, model in models.items()}
    for model in _inside(models.values()):
        headings.setdefault(model, model.__name__)
    parts = []
    for model, heading in headings.items():
        shut = hidden if model in models.values() else ()
        parts += [f"## {heading}", _first_paragraph(model), _keys(model, headings, shut)]
    return parts


def _first_paragraph(model: Model) -> str:
    if not model.__doc__:
        raise ValueError(f"{model.__name__} has no docstring: the reference begins with it")
    return model.__doc__.partition("\n\n")[0].strip().replace("\n    ", "\n")


def _keys(model: Model, headings: Mapping[Model, str], hidden: Collection[str]) -> str:
    hints = get_type_hints(model, include_extras=True)
    return table(
        ("key", "type", "default", "meaning"),
        (
            (code(field.alias or name), type_text(hints[name], headings), _default(field), _meaning(model, name, field))
            for name, field in model.model_fields.items()
            if name not in hidden
        ),
    )


def _meaning(model: Model, name: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f'{model.__module__}.{model.__name__}.{name} says nothing: write """…""" on the line below it')
    return " ".join(field.description.split())


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, Enum):
        return code(str(value.value))
    return code(str(value)) if isinstance(value, int) or (isinstance(value, str) and value) else "-"


def type_text(annotation: Any, headings: Mapping[Model, str]) -> str:  # noqa: ANN401 - annotations have no type
    """What a value of this annotation is, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(annotation, headings)
    if origin is Literal:
        return ", ".join(code(str(word)) for word in arguments)
    if origin is None:
        return _plain(annotation, headings)
    words = [type_text(part, headings) for part in arguments if part not in (type(None), ...)]
    if origin in (Union, UnionType):
        return " or ".join(words)
    return f"list of {words[0]}" if origin is tuple else f"mapping of {words[0]} to {words[1]}"


def _plain(kind: type, headings: Mapping[Model, str]) -> str:
    if issubclass(kind, BaseModel):
        return f"[{kind.__name__}]({anchor(headings[kind])})"
    if issubclass(kind, Enum):
        return ", ".join(code(str(member.value)) for member in kind)
    return PLAIN[kind]


def _annotated(annotation: Any, headings: Mapping[Model, str]) -> str:  # noqa: ANN401 - annotations have no type
    inner, *metadata = get_args(annotation)
    for item in metadata:
        if isinstance(item, Doc):
            return item.documentation
    text = type_text(inner, headings)
    for item in metadata:
        for bound in item.metadata if isinstance(item, FieldInfo) else ():
            text += f", at least {bound.ge}" if isinstance(bound, Ge) else ""
            text += f", at most {bound.le}" if isinstance(bound, Le) else ""
    return text


def _inside(models: Collection[Model]) -> Iterator[Model]:
    """The models that the fields of `models` hold, breadth first."""
    waiting, seen = list(models), set(models)
    while waiting:
        for hint in get_type_hints(waiting.pop(0), include_extras=True).values():
            for found in _models(hint):
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)
                    yield found


def _models(annotation: object) -> Iterator[Model]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
