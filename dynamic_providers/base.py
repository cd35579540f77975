"""What all dynamic providers share: check and diff follow from a frozen Inputs model, subclasses talk to the vendor.

Numbers arrive as floats, None is dropped and `__provider` lies among the properties (facts 3.1, trap 10), so the first
line of every provider method builds the Inputs model: `of` in create and update, `recorded` in read and delete.
`olds` are the previous *outputs* (trap 11): each resource module has one function `outputs(inputs, remote)` that echoes
every input, and create, read and update all answer with it.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pulumi import contains_unknowns
from pulumi.dynamic import CheckFailure, CheckResult, DiffResult, ReadResult, ResourceProvider
from pydantic import BaseModel, ConfigDict, ValidationError

from dynamic_providers.errors import StatefulChangeError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Props = dict[str, Any]
GONE = ReadResult(None, {})


class Inputs(BaseModel):
    """What a program asks of one resource. Fields that may be None default to None."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, props: Props) -> Self:
        """What the program asks for.

        Raises pydantic.ValidationError for a missing or malformed field; `check` has refused that before.
        """
        return cls.model_validate(props)

    @classmethod
    def recorded(cls, props: Props) -> Self:
        """What the state holds, taken as it is: a refresh may have recorded values that no program may ask for."""
        return super().model_construct(**props)

    def props(self) -> Props:
        """Plain JSON with None left out, as the engine itself stores it."""
        return self.model_dump(mode="json", exclude_none=True, warnings=False)


class TypedProvider(ResourceProvider):
    """check and diff of a resource kind; create, read, update and delete are the subclass's.

    connection_fields: how to reach the object, not what it is; left out of diff, so that an edit of a cluster does not
        show every tenant on it as changed (design rule 11). An engine keeps the old outputs while nothing else changes:
        `read` and `delete` then see the connection of the last create, update or refresh.
    stateful_fields: a change would need another object, and this one holds data. Never in `replaces`; a change that
        reaches `update` raises one sentence (design rule 2).
    replace_on: a change makes a new object, the old one is deleted first because our names are unique.
    """

    serialize_as_secret_always: bool = False
    inputs: ClassVar[type[Inputs]]
    connection_fields: ClassVar[frozenset[str]] = frozenset()
    stateful_fields: ClassVar[frozenset[str]] = frozenset()
    replace_on: ClassVar[frozenset[str]] = frozenset()

    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Validates once everything is known and hands back the normalised inputs; no I/O."""
        if contains_unknowns(news):
            return CheckResult(news, [])
        try:
            return CheckResult(self.inputs.of(news).props(), [])
        except ValidationError as error:
            return CheckResult(news, [_failure(problem["loc"], problem["msg"]) for problem in error.errors()])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Compares field by field; pure, and never raises, since that would end the whole update (facts 2.8)."""
        changed = self.changed_fields(olds, news)
        replaces = sorted(changed & self.replace_on - self.stateful_fields)
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=bool(replaces))

    def changed_fields(self, olds: Props, news: Props) -> frozenset[str]:
        """Input fields whose values differ, connection fields left out; an unknown value differs from everything."""
        defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in self.inputs.model_fields.items()
            if name not in self.connection_fields
        }
        return frozenset(
            name
            for name, default in defaults.items()
            if _comparable(olds.get(name, default)) != _comparable(news.get(name, default))
        )

    def changes_in_place(self, id_: str, olds: Props, news: Props) -> frozenset[str]:
        """What `update` has to change; raises StatefulChangeError when a stateful field is among it."""
        changed = self.changed_fields(olds, news)
        if refused := changed & self.stateful_fields:
            raise StatefulChangeError(type(self).__name__.removesuffix("Provider").lower(), id_, refused)
        return changed


def declared(args: "DataclassInstance", *computed: str) -> Props:
    """The properties of a resource: its arguments, and the outputs it will have."""
    return {field.name: getattr(args, field.name) for field in fields(args)} | dict.fromkeys(computed)


def _comparable(value: object) -> object:
    # Our lists are sets: privileges, extensions.
    return sorted(value, key=str) if isinstance(value, list | tuple) else value


def _failure(location: tuple[int | str, ...], message: str) -> CheckFailure:
    return CheckFailure(".".join(str(part) for part in location), message)
