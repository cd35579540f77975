"""What the program wants of one resource, read from its registration; what this engine does not do is refused here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pulumi.runtime.proto import alias_pb2, resource_pb2

from engines.embedded.errors import RefusedError
from engines.embedded.properties import Properties, from_struct
from engines.embedded.urns import is_provider, package_of

Request = resource_pb2.RegisterResourceRequest
INTERNAL_KEY = "__internal"

# Each option that production knows and this engine would have to pretend: (what it is, whether the request has it).
REFUSED: Mapping[str, Callable[[Request], bool]] = {
    "import of existing resources": lambda request: bool(request.importId),
    "transforms": lambda request: bool(request.transforms),
    "state migrations": lambda request: bool(request.state_migrations),
    "resource hooks": lambda request: bool(request.hooks.ByteSize()),
    "remote components": lambda request: request.remote,
    "parameterized packages": lambda request: bool(request.packageRef),
    "custom_timeouts": lambda request: bool(request.customTimeouts.ByteSize()),
    "replace_on_changes": lambda request: bool(request.replaceOnChanges),
    "replace_with": lambda request: bool(request.replace_with),
    "replacement_trigger": lambda request: request.HasField("replacement_trigger"),
    "env_var_mappings": lambda request: bool(request.envVarMappings),
}


@dataclass(frozen=True)
class Alias:
    """A former name: a whole URN, or the parts of one that differed (`parent` None: the same parent)."""

    urn: str = ""
    name: str = ""
    type: str = ""
    parent: str | None = None
    stack: str = ""
    project: str = ""


@dataclass(frozen=True)
class Goal:
    """One registration."""

    type: str
    name: str
    custom: bool
    parent: str
    inputs: Properties
    provider: str = ""
    providers: Mapping[str, str] | None = None
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] | None = None
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def inherit(self, parent: "Goal | None") -> "Goal":
        """Take over what a parent gives its children unless they say otherwise."""
        if parent is None:
            return self
        return replace(
            self,
            deleted_with=self.deleted_with or parent.deleted_with,
            protect=parent.protect if self.protect is None else self.protect,
            retain_on_delete=parent.retain_on_delete if self.retain_on_delete is None else self.retain_on_delete,
            provider=self.provider or self._provider_of(parent),
            providers=self.providers if self.custom else {**(parent.providers or {}), **(self.providers or {})},
        )

    def _provider_of(self, parent: "Goal") -> str:
        if not self.custom or is_provider(self.type):
            return ""
        package = package_of(self.type)
        same_package = f"::pulumi:providers:{package}::" in parent.provider
        return parent.provider if same_package else (parent.providers or {}).get(package, "")


def read_goal(request: Request) -> Goal:
    """Read a registration. Raises RefusedError for one that needs what this engine does not do."""
    for feature, asked_for in REFUSED.items():
        if asked_for(request):
            raise RefusedError(f"{feature}, which '{request.name}' asks for")
    defined = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=_inputs(request),
        provider=request.provider,
        providers=dict(request.providers),
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={key: tuple(sorted(deps.urns)) for key, deps in request.propertyDependencies.items()},
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        delete_before_replace=request.deleteBeforeReplace if defined else None,
        ignore_changes=tuple(request.ignoreChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=tuple(_alias(alias) for alias in request.aliases),
    )


def _inputs(request: Request) -> Properties:
    inputs = from_struct(request.object)
    if is_provider(request.type) and (request.version or request.pluginDownloadURL):
        # The version is recorded beside the provider's own inputs, what else belongs to the plugin under this key.
        inputs[INTERNAL_KEY] = {"pluginDownloadURL": request.pluginDownloadURL} if request.pluginDownloadURL else {}
        if request.version:
            inputs["version"] = request.version
    return inputs


def _alias(alias: alias_pb2.Alias) -> Alias:
    if alias.WhichOneof("alias") == "urn":
        return Alias(urn=alias.urn)
    spec = alias.spec
    parent = "" if spec.WhichOneof("parent") == "noParent" and spec.noParent else spec.parentUrn or None
    return Alias(name=spec.name, type=spec.type, parent=parent, stack=spec.stack, project=spec.project)
