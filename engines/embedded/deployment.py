"""One pass of the program: each registration is compared with the state and brought about, in the SDK's threads."""

import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import Literal

from engines.embedded import plugins
from engines.embedded.dynamic import PACKAGE
from engines.embedded.errors import InvalidResourceError, RefusedError, ResourceError
from engines.embedded.goal import Goal
from engines.embedded.ignored import restore_ignored
from engines.embedded.naming import Found, Naming
from engines.embedded.operations import Operations, message_of
from engines.embedded.project import Config, config_inputs
from engines.embedded.properties import UNKNOWN_TEXT, Properties, Secret, holds_unknown, plain_properties
from engines.embedded.provider import Difference, Provider
from engines.embedded.registry import Registry, provider_config
from engines.embedded.replacement import Replacement
from engines.embedded.resource import Resource
from engines.embedded.urns import PROVIDER_PREFIX, STACK_TYPE, is_provider, name_of, package_of
from engines.engine import EngineError

Mode = Literal["update", "refresh", "destroy"]


@dataclass(frozen=True)
class Options:
    """What a pass is for.

    `suspects`: URNs that are read first, as with `refresh`; `fresh`: keys of resources that need no further read.
    """

    mode: Mode
    refresh: bool = False
    continue_on_error: bool = False
    ignore_protect: bool = False
    suspects: frozenset[str] = frozenset()
    fresh: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """The answer to a registration."""

    resource: Resource
    result: Literal["done", "failed", "skipped"] = "done"
    unknown: bool = False


@dataclass
class Deployment:
    """Decides what becomes of each registration. `broken`: URNs that failed or were skipped; `absent`: not in state."""

    options: Options
    naming: Naming
    registry: Registry
    operations: Operations
    config: Config
    stopped: str = ""
    refusal: EngineError | None = None
    broken: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    # What a refresh made of each resource of before, by key.
    refreshed: dict[int, Resource | None] = field(default_factory=dict)
    outputs: Properties | None = None
    _defaults: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._replacement = Replacement(self.operations, self.registry, self.naming)

    def register(self, goal: Goal) -> Outcome:
        """Bring a resource about. Only what this engine does not implement is raised."""
        urn = self.naming.urn(goal)
        try:
            goal = self.naming.inherit(goal)
            found = self.naming.claim(goal)
            if goal.custom and not is_provider(goal.type) and not goal.provider:
                goal = replace(goal, provider=self._default_provider(goal, urn))
            new = _wanted(goal, urn, found)
            self.operations.masker.learn(new.inputs)
            return self._blocked(new) or self._proceed(goal, new, found)
        except InvalidResourceError as error:
            return self._fail(urn, goal, error, stop=True)
        except ResourceError as error:
            return self._fail(urn, goal, error, stop=not self.options.continue_on_error)

    def stop(self, reason: str) -> None:
        """Start nothing more; what is under way ends and is recorded."""
        self.stopped = self.stopped or reason

    def refuse(self, error: EngineError) -> None:
        """Note that the program asked for what this engine does not do: nothing more is started."""
        self.refusal = self.refusal or error
        self.stop(str(error))

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component; those of the stack wait for the end of the run."""
        self.operations.masker.learn(outputs)
        if f"::{STACK_TYPE}::" in urn:
            self.outputs = outputs
        elif self.options.mode == "update" and urn not in self.broken:
            self.operations.store.outputs(urn, outputs)

    def _fail(self, urn: str, goal: Goal, error: ResourceError, *, stop: bool) -> Outcome:
        self.operations.report.failed(urn, message_of(error))
        self.broken.add(urn)
        if stop and not self.operations.dry_run:
            self.stop(f"'{name_of(urn)}' failed")
        return Outcome(Resource(urn, goal.type, goal.custom), "failed")

    def _blocked(self, new: Resource) -> Outcome | None:
        """Skip what needs something that failed, and everything once the run has stopped."""
        culprit = next((urn for urn in new.needs() if urn in self.broken), None)
        if culprit:
            text = f"not attempted: it needs '{name_of(culprit)}', which is not there"
            self.operations.report.failed(new.urn, text)
        elif not self.stopped:
            missing = any(urn in self.absent for urn in new.needs())
            return self._absent(new) if missing else None
        self.broken.add(new.urn)
        return Outcome(new, "skipped")

    def _absent(self, new: Resource) -> Outcome:
        self.absent.add(new.urn)
        return Outcome(replace(new, inputs={}, outputs={}), unknown=True)

    def _proceed(self, goal: Goal, new: Resource, found: Found | None) -> Outcome:
        if found and found[1].custom != new.custom:
            raise RefusedError(f"turning '{new.urn}' from a component into a custom resource or back")
        if is_provider(new.type):
            return Outcome(self._provider(new, found))
        if not new.custom:
            return Outcome(self._component(new, found))
        provider = self.registry.get(new.provider)
        if self.options.mode == "update":
            if found and (self.options.refresh or found[1].urn in self.options.suspects) and provider.known:
                found = self.refresh(provider, found)
            return Outcome(self._custom(goal, provider, new, found))
        if found:
            found = self.refresh_or_report(provider, found)
        if found is None:
            return self._absent(new)
        key, old = found
        if self.options.mode == "destroy":
            # The options of today decide how it leaves; its protection stays until an update has lifted it.
            old = replace(old, retain_on_delete=new.retain_on_delete, deleted_with=new.deleted_with)
            self.operations.store.alter(key, old)
        return Outcome(replace(old, urn=new.urn))

    def refresh_or_report(self, provider: Provider, found: Found) -> Found | None:
        """Read a resource; one that cannot be read stays as it is recorded, and so does what needs it."""
        try:
            return self.refresh(provider, found) if provider.known else found
        except ResourceError as error:
            self.operations.report.failed(found[1].urn, message_of(error), "refresh")
            return found

    # Providers and components

    def _default_provider(self, goal: Goal, urn: str) -> str:
        package = package_of(goal.type)
        if self.config.denies_default_provider(package):
            raise InvalidResourceError(
                f"Default provider for '{package}' disabled. '{urn}' must use an explicit provider."
            )
        if package != PACKAGE:
            raise RefusedError(f"a default provider for '{package}', which '{goal.name}' needs")
        with self._lock:
            if package not in self._defaults:
                self._defaults[package] = self._make_default_provider(package)
            return self._defaults[package]

    def _make_default_provider(self, package: str) -> str:
        """Register the instance that gets the whole configuration of the stack."""
        inputs: Properties = {
            key: Secret(text) if is_secret else text for key, text, is_secret in config_inputs(self.config)
        }
        goal = Goal(type=f"{PROVIDER_PREFIX}{package}", name="default", custom=True, parent="", inputs=inputs)
        found = self.naming.claim(goal)
        provider = self._provider(_wanted(goal, self.naming.urn(goal), found), found)
        return f"{provider.urn}::{provider.id}"

    def _provider(self, new: Resource, found: Found | None) -> Resource:
        """Configure a provider instance; only an update creates one in the state."""
        config = provider_config(new.inputs)
        package = package_of(new.type)
        if package != PACKAGE:
            problems = plugins.check_config(package, plain_properties(config))
            if problems:
                raise InvalidResourceError("; ".join(f"property {name} has a problem: {why}" for name, why in problems))
        if found is None:
            return self._new_provider(new)
        key, old = found
        # Same as the engine: an instance that has not changed keeps working with what is recorded.
        changed = plain_properties(old.outputs) != plain_properties(config)
        if self.options.mode != "update" and holds_unknown(config):
            changed = False
        self._configure(new.urn, old.id, new.inputs if changed else old.inputs)
        if self.options.mode != "update":
            if not changed:
                return replace(old, urn=new.urn)
            updated = self.operations.sealed(replace(old, inputs=new.inputs, outputs=config))
            self.operations.store.alter(key, updated)
            return replace(updated, urn=new.urn)
        return self._settled_provider(key, old, new, changed=changed)

    def _new_provider(self, new: Resource) -> Resource:
        operations = self.operations
        identity = UNKNOWN_TEXT if operations.dry_run else str(uuid.uuid4())
        self._configure(new.urn, identity, new.inputs)
        moment, outputs = operations.moment(), provider_config(new.inputs)
        new = operations.sealed(replace(new, id=identity, outputs=outputs, created=moment, modified=moment))
        if self.options.mode == "update":
            operations.store.settle(new)
            operations.report.finished(new.urn, "create")
        return new

    def _settled_provider(self, key: int, old: Resource, new: Resource, *, changed: bool) -> Resource:
        operations = self.operations
        if not changed:
            return operations.keep(key, old, new)
        updated = replace(new, id=old.id, outputs=provider_config(new.inputs), modified=operations.moment())
        updated = operations.sealed(updated)
        operations.store.settle(updated, key)
        operations.report.finished(new.urn, "update", operations.fields(old, new))
        return updated

    def _configure(self, urn: str, identity: str, inputs: Properties) -> None:
        try:
            self.registry.configure(urn, identity, inputs)
        except (ResourceError, EngineError):
            raise
        except Exception as error:
            raise ResourceError(message_of(error)) from error

    def _component(self, new: Resource, found: Found | None) -> Resource:
        operations = self.operations
        if self.options.mode != "update":
            return new
        if found is None:
            operations.store.settle(replace(new, created=operations.moment(), modified=operations.moment()))
            operations.report.finished(new.urn, "create")
        elif found[1].inputs == new.inputs:
            operations.keep(found[0], found[1], new)
        else:
            operations.store.settle(replace(new, outputs=found[1].outputs), found[0])
            operations.report.finished(new.urn, "update", operations.fields(found[1], new))
        return new

    # Custom resources

    def refresh(self, provider: Provider, found: Found) -> Found | None:
        """Read a resource once per run, before anything is decided about it."""
        key, old = found
        if key in self.options.fresh or old.pending_replacement:
            return found
        report = self.operations.report
        read, changed = self.operations.read(provider, key, old)
        self.refreshed[key] = read
        if self.options.mode == "refresh":
            report.finished(old.urn, "delete" if read is None else "refresh" if changed else "same")
        else:
            report.read(old.urn)
        return None if read is None else (key, read)

    def _custom(self, goal: Goal, provider: Provider, new: Resource, found: Found | None) -> Resource:
        operations = self.operations
        if found is None or found[1].pending_replacement:
            new = replace(new, inputs=operations.check(provider, new, {}, goal.inputs))
            if found is None:
                return operations.create(provider, new)
            return operations.create(provider, new, "replace", supersedes=found[0])
        key, old = found
        wanted = restore_ignored(goal.inputs, old.inputs, goal.ignore_changes)
        new = replace(new, inputs=operations.check(provider, new, old.inputs, wanted))
        difference = self._difference(provider, old, new)
        if difference.replaces:
            fresh = replace(new, inputs=operations.check(provider, new, {}, goal.inputs))
            return self._replacement.replace(goal, provider, found, fresh, difference)
        # An object that was made but never reported ready is taken up again by an update.
        if difference.changes or old.init_errors:
            return operations.update(provider, key, old, new)
        return operations.keep(key, old, new)

    def _difference(self, provider: Provider, old: Resource, new: Resource) -> Difference:
        if new.deleted_with and self._replacement.replaced(new.deleted_with):
            return Difference(changes=True, replaces=("deletedWith",))
        if not provider.known:
            self.operations.report.message(
                "the provider for this resource has inputs that are not known during preview: "
                "the preview may not say correctly what an update will do",
                new.urn,
            )
            return Difference(changes=True)
        return self.operations.diff(provider, old, new.inputs)


def _wanted(goal: Goal, urn: str, found: Found | None) -> Resource:
    """What the state will say of a goal once it is reached."""
    old = found[1] if found else None
    return Resource(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.inputs,
        parent=goal.parent,
        provider=goal.provider if goal.custom else "",
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies or {},
        protect=bool(goal.protect),
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        additional_secret_outputs=goal.additional_secret_outputs,
        ignore_changes=goal.ignore_changes,
        aliases=(old.urn,) if old and old.urn != urn else (),
        created=old.created if old else "",
        modified=old.modified if old else "",
    )
