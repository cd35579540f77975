"""What is done to one resource: the provider's call, noted before and settled after, with its secrets marked."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from engines.embedded.dynamic import PROVIDER_KEY
from engines.embedded.errors import InvalidResourceError, ResourceError
from engines.embedded.masking import Masker
from engines.embedded.properties import (
    Properties,
    Secret,
    Value,
    carry_secrets,
    changed_keys,
    plain_properties,
    secret,
)
from engines.embedded.provider import Difference, Found, Provider
from engines.embedded.report import Report
from engines.embedded.resource import Resource
from engines.embedded.store import Store, timestamp
from engines.engine import EngineError, Operation

# Keys of the engine's and the bridges' own bookkeeping.
OWN_KEYS = frozenset({PROVIDER_KEY, "__defaults", "__internal"})


@dataclass(frozen=True)
class Operations:
    """Calls providers, or in a preview says what would come of it."""

    store: Store
    report: Report
    masker: Masker
    now: Callable[[], datetime]
    dry_run: bool

    def check(self, provider: Provider, new: Resource, olds: Properties, news: Properties) -> Properties:
        """Answer the inputs as the provider wants them. Raises InvalidResourceError for what it refuses."""
        with _plain_errors(InvalidResourceError):
            checked = provider.check(new.type, plain_properties(olds), plain_properties(news))
        if checked.failures:
            raise InvalidResourceError("; ".join(self._described(failure, news) for failure in checked.failures))
        inputs = carry_secrets(checked.inputs, news)
        self.masker.learn(inputs)
        return inputs

    def _described(self, failure: tuple[str, str], news: Properties) -> str:
        name, reason = failure
        if not name:
            return f"has a problem: {reason}"
        if name not in news:
            return f"property {name} has a problem: {reason}"
        return f"property {name} value {{{_shown(news[name])}}} has a problem: {reason}"

    def diff(self, provider: Provider, old: Resource, inputs: Properties) -> Difference:
        """Compare; a provider that does not say is taken by its inputs."""
        with _plain_errors(InvalidResourceError):
            difference = provider.diff(old.type, old.id, plain_properties(old.outputs), plain_properties(inputs))
        if difference.changes is None:
            return replace(difference, changes=bool(changed_keys(old.inputs, inputs)))
        return difference

    def create(
        self,
        provider: Provider,
        new: Resource,
        operation: Operation = "create",
        *,
        supersedes: int | None = None,
        condemns: int | None = None,
        fields: Sequence[str] = (),
    ) -> Resource:
        """Make an object; nothing is recorded if that fails."""
        self.report.started(new.urn, operation)
        moment = self.moment()
        new = replace(new, created=moment, modified=moment)
        if self.dry_run:
            number, made = None, replace(new, outputs=new.inputs if provider.known else {})
        else:
            number = self.store.begin("creating", new)
            with self._noted(number):
                result = provider.create(new.type, plain_properties(new.inputs))
            made = replace(new, id=result.id, outputs=result.outputs)
        made = self.sealed(made)
        self.store.settle(made, supersedes, condemns=condemns, ends=number)
        self.report.finished(made.urn, operation, tuple(fields))
        return made

    def update(self, provider: Provider, key: int, old: Resource, new: Resource) -> Resource:
        """Change an object in place; the old state stays if that fails."""
        fields = self.fields(old, new)
        self.report.started(new.urn, "update")
        new = replace(new, id=old.id, modified=self.moment())
        if self.dry_run:
            number, outputs = None, new.inputs if provider.known else {}
        else:
            number = self.store.begin("updating", new)
            with self._noted(number):
                outputs = provider.update(new.type, old.id, plain_properties(old.outputs), plain_properties(new.inputs))
        updated = self.sealed(replace(new, outputs=outputs))
        self.store.settle(updated, key, ends=number)
        self.report.finished(updated.urn, "update", fields)
        return updated

    def keep(self, key: int, old: Resource, new: Resource) -> Resource:
        """Record an unchanged object under its new inputs and options."""
        kept = self.sealed(replace(new, id=old.id, outputs=old.outputs, init_errors=old.init_errors))
        self.store.settle(kept, key)
        self.report.finished(kept.urn, "same")
        return kept

    def read(self, provider: Provider, key: int, old: Resource) -> tuple[Resource | None, bool]:
        """Bring what is recorded to what the provider finds; also whether that is a change a user would see."""
        with _plain_errors(ResourceError):
            found = provider.read(old.type, old.id, plain_properties(old.outputs))
        if found is None:
            self.store.forget(key)
            return None, True
        read = self._found(old, found)
        if plain_properties(read.outputs) != plain_properties(old.outputs) or read.inputs != old.inputs:
            read = replace(read, modified=self.moment())
        # The question a next update would ask: is what was found what was wanted?
        difference = self.diff(provider, read, old.inputs)
        self.store.alter(key, read)
        return read, bool(difference.changes)

    def _found(self, old: Resource, found: Found) -> Resource:
        outputs = carry_secrets(found.outputs, old.outputs)
        inputs = carry_secrets(old.inputs if found.inputs is None else found.inputs, old.inputs)
        return self.sealed(replace(old, id=found.id, inputs=inputs, outputs=outputs, init_errors=()))

    def delete(self, provider: Provider | None, key: int, old: Resource, *, for_replacement: bool = False) -> None:
        """Delete an object, through its provider if that is given. One that will be made again leaves a note."""
        if provider is None or self.dry_run:
            number = None
        else:
            number = self.store.begin("deleting", old)
            with self._noted(number):
                provider.delete(old.type, old.id, plain_properties(old.outputs))
        if for_replacement:
            self.store.alter(key, replace(old, pending_replacement=True))
            self.store.end(number)
        else:
            self.store.forget(key, number)

    def sealed(self, resource: Resource) -> Resource:
        """Mark as secret what the inputs or the program's options say is, and remember it."""
        outputs = carry_secrets(resource.outputs, resource.inputs)
        for key in resource.additional_secret_outputs:
            if key in outputs and not isinstance(outputs[key], Secret):
                outputs[key] = secret(outputs[key])
        self.masker.learn(resource.inputs)
        self.masker.learn(outputs)
        return replace(resource, outputs=outputs)

    def moment(self) -> str:
        """Answer the time as the state writes it."""
        return timestamp(self.now())

    @staticmethod
    def fields(old: Resource, new: Resource) -> tuple[str, ...]:
        """Inputs that differ, without bookkeeping."""
        return tuple(key for key in changed_keys(old.inputs, new.inputs) if key not in OWN_KEYS)

    @contextmanager
    def _noted(self, number: int) -> Iterator[None]:
        """End the pending operation when the provider's call fails; on success settling the result ends it."""
        try:
            with _plain_errors(ResourceError):
                yield
        except BaseException:
            self.store.end(number)
            raise


@contextmanager
def _plain_errors(kind: type[ResourceError]) -> Iterator[None]:
    """Turn whatever a provider raises into its message."""
    try:
        yield
    except (ResourceError, EngineError):
        raise
    except Exception as error:
        raise kind(message_of(error)) from error


def message_of(error: Exception) -> str:
    """Answer the error's own words, with its kind where the words alone say nothing."""
    text = str(error).strip()
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}" if isinstance(error, LookupError) else text


def _shown(value: Value) -> str:
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
