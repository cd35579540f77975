"""A part of a document against its model: the typed value, or each fault as a sentence at its line."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from catalogue.document import Document, Items, Section, Value
from catalogue.errors import KeyPath, Problem, did_you_mean, shown
from catalogue.tenant import UNION_TAGS
from catalogue.vocabulary import WRITTEN

M = TypeVar("M", bound=BaseModel)

UNKNOWN_KEY = "extra_forbidden"
# What a key of a mapping is called when the key itself is at fault.
KEY = "[key]"
# Of a default that needs another field, which is at fault itself.
ECHOES = ("default_factory_not_called",)
# A file with more faults than this is not a catalogue; the rest is left for the next run.
MAX_PROBLEMS = 10_000


@dataclass(frozen=True)
class Parsed(Generic[M]):
    """A typed value; or problems, and as value what is left without the `faulty` keys (None where that is no value)."""

    value: M | None
    problems: tuple[Problem, ...] = ()
    faulty: frozenset[str] = frozenset()


def parse(model: type[M], document: Document, path: KeyPath, value: Value, **given: str) -> Parsed[M]:
    """`value`, which stands at `path`, as a `model`; `given` are fields that the file does not repeat: a row's key."""
    if not isinstance(value, Section):
        message = f"must be a mapping of keys to values, not {_kind(value)}"
        return Parsed(None, (document.problem(path, message),))
    hidden = frozenset(given)
    written = [document.problem((*path, key), _unknown_key(key, model, (), hidden)) for key in given if key in value]
    row = {**value, **given} if given else value
    try:
        return Parsed(model.model_validate(row, context=WRITTEN), tuple(written))
    except ValidationError as error:
        faults = [fault for fault in error.errors(include_url=False) if fault["type"] not in ECHOES]
    problems = [_problem(fault, model, document, path, hidden) for fault in faults]
    faulty = frozenset(str(fault["loc"][0]) for fault in faults if fault["type"] != UNKNOWN_KEY)
    return Parsed(_rest(model, row, faults), (*written, *problems), faulty)


def parse_rows(model: type[M], document: Document, section: str, key: str | None) -> Iterator[tuple[str, Parsed[M]]]:
    """The rows of `section` by their keys, which go to the model's field `key`."""
    rows = document.root.get(section) if document.root is not None else None
    problems = 0
    for name, row in rows.items() if isinstance(rows, Section) else ():
        parsed = parse(model, document, (section, name), row, **({key: name} if key else {}))
        problems += len(parsed.problems)
        if problems > MAX_PROBLEMS:
            stop = document.problem((section, name), "reading stops here: there are too many problems to list")
            yield name, Parsed(None, (stop,))
            return
        yield name, parsed


def no_rows(document: Document, section: str) -> Iterator[Problem]:
    """The problem where `section` is not there or holds no rows."""
    root = document.root
    if root is not None and section not in root:
        yield document.problem((), f"key '{section}' is missing")
    elif root is not None and not isinstance(root[section], Section):
        kind = _kind(root[section])
        message = f"must be a mapping of keys to values, not {kind}: write {{}} where there is none"
        yield document.problem((section,), message)


def unknown_sections(document: Document, known: tuple[str, ...]) -> Iterator[Problem]:
    """Keys at the top of a file that mean nothing there."""
    for section in document.root or ():
        if section not in known:
            yield document.problem((section,), f"unknown key '{shown(section)}'{did_you_mean(section, known)}")


def _rest(model: type[M], row: Mapping[str, Value], faults: list[ErrorDetails]) -> M | None:
    """The row without unknown keys, and without the keys where anything else is wrong."""
    rest = deepcopy(dict(row))
    for fault in faults:
        if fault["type"] != UNKNOWN_KEY:
            rest.pop(str(fault["loc"][0]), None)
    for fault in faults:
        if fault["type"] == UNKNOWN_KEY:
            _drop(rest, fault["loc"])
    try:
        return model.model_validate(rest, context=WRITTEN)
    except ValidationError:
        return None


def _drop(here: "dict[str, Value] | list[Value] | Value", loc: KeyPath) -> None:
    *way, last = loc
    for part in way:
        if isinstance(here, dict):
            here = here.get(str(part))
        elif isinstance(here, list) and isinstance(part, int):
            here = here[part]
    if isinstance(here, dict):
        here.pop(str(last), None)


def _problem(
    fault: ErrorDetails, model: type[BaseModel], document: Document, path: KeyPath, hidden: frozenset[str]
) -> Problem:
    # Pydantic puts the tags of unions into the location; the file does not have them.
    inside = tuple(part for part in fault["loc"] if part not in UNION_TAGS)
    if inside[-1:] == (KEY,):
        inside = inside[:-1]
    if inside[:1] and inside[0] in hidden:
        inside = ()
    if fault["type"] == "missing":
        return document.problem((*path, *inside[:-1]), f"key '{inside[-1]}' is missing")
    if fault["type"] == UNKNOWN_KEY:
        return document.problem((*path, *inside), _unknown_key(str(inside[-1]), model, inside[:-1], hidden))
    return document.problem((*path, *inside), _sentence(fault, str((*path, *inside)[-1])))


def _sentence(fault: ErrorDetails, key: str) -> str:
    value, context = fault["input"], fault.get("ctx", {})
    if value is None:
        return "is empty: give it a value or remove the key"
    if fault["type"] == "value_error":
        return str(context["error"])
    if fault["type"] in ("literal_error", "enum") and isinstance(value, str):
        known = [word.strip("' ") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        return f"unknown {key} '{shown(value)}'{did_you_mean(value, known)}: use one of {', '.join(known)}"
    sentence = SENTENCES.get(fault["type"])
    return sentence(context, _kind(value)) if sentence else f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _mapping(_context: Mapping[str, object], kind: str) -> str:
    return f"must be a mapping of keys to values, not {kind}"


def _word(context: Mapping[str, object], kind: str) -> str:
    return f"must be one of {context['expected']}, not {kind}"


SENTENCES: Mapping[str, Callable[[Mapping[str, object], str], str]] = {
    "string_type": lambda _, kind: (
        f"must be text, not {kind}"
        + (": put it in quotes" if kind in ("a number", "a fraction", "true or false") else "")
    ),
    "int_type": lambda _, kind: f"must be a whole number, not {kind}",
    "bool_type": lambda _, kind: f"must be true or false, not {kind}",
    "tuple_type": lambda _, kind: f"must be a list, not {kind}",
    "model_type": _mapping,
    "dict_type": _mapping,
    "literal_error": _word,
    "enum": _word,
    "greater_than_equal": lambda context, _: f"must be at least {context['ge']}",
    "less_than_equal": lambda context, _: f"must be at most {context['le']}",
    "too_short": lambda context, _: f"must have at least {context['min_length']} entry",
}


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        return "a fraction"
    if isinstance(value, int):
        return "a number"
    return "a mapping" if isinstance(value, Section) else "a list" if isinstance(value, Items) else "text"


def _unknown_key(key: str, model: type[BaseModel], inside: KeyPath, hidden: frozenset[str]) -> str:
    known = sorted(frozenset(_fields(model, inside)) - hidden)
    return f"unknown key '{shown(key)}'{did_you_mean(key, known)}"


def _fields(model: type[BaseModel], inside: KeyPath) -> tuple[str, ...]:
    """The keys that the mapping at `inside` knows."""
    models: tuple[type[BaseModel], ...] = (model,)
    for part in inside:
        fields = [here.model_fields for here in models]
        # A part that is no field is a key of a mapping or a place in a list: those hold the models found already.
        models = (
            tuple(found for known in fields if part in known for found in _models(known[str(part)].annotation))
            or models
        )
    return tuple(name for here in models for name in here.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models inside `X | None`, `Mapping[str, X]`, `tuple[X, ...]`, `Annotated[X, …]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
