"""Dynamic providers on a toy cloud of files, shared by every process that knows its folder; copied into each project.

`objects/<id>.json` is an object, `log` a line per call, and a file `faults/<name>.<call>` makes that call of that
object raise the file's text. `faults/<name>.<call>.wait` makes it wait until the file is gone.
"""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

Props = dict[str, Any]
FIELDS = ("name", "size", "kind", "password", "labels", "first")
BIGGEST = 90


class Cloud:
    """The folder that TOY_CLOUD names."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["TOY_CLOUD"])

    def call(self, call: str, name: object, **details: object) -> None:
        """Log a call, then fail or wait where a fault says so."""
        line = json.dumps({"call": call, "name": name, **details}, default=lambda value: f"<{type(value).__name__}>")
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        fault = self.folder / "faults" / f"{name}.{call}"
        while fault.with_name(f"{fault.name}.wait").exists():
            time.sleep(0.01)
        if fault.exists():
            raise RuntimeError(fault.read_text(encoding="utf-8"))

    def write(self, identity: str, props: Props) -> None:
        """Make or change an object."""
        known = {key: value for key, value in props.items() if key in FIELDS}
        (self.folder / "objects" / f"{identity}.json").write_text(json.dumps(known), encoding="utf-8")

    def read(self, identity: str) -> Props | None:
        """Find an object."""
        file = self.folder / "objects" / f"{identity}.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def delete(self, identity: str) -> None:
        """Delete an object; one that is gone is done."""
        (self.folder / "objects" / f"{identity}.json").unlink(missing_ok=True)


def types(props: Props) -> dict[str, str]:
    """The Python type of each property, as the provider sees it."""
    return {key: type(value).__name__ for key, value in sorted(props.items())}


class ToyProvider(ResourceProvider):
    """Makes toys; a toy of another kind is another toy."""

    serialize_as_secret_always = False
    token = ""

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the token; log what else is in reach."""
        self.token = req.config.get("toy:token") or ""
        Cloud().call(
            "configure",
            self.token,
            config=sorted(req.config._props),  # noqa: SLF001 - the SDK offers no list of keys
            project=req.config._project_name,  # noqa: SLF001 - as above
            stack=pulumi.get_stack(),
            program_config=pulumi.Config("toy").get("token"),
        )

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Refuse what is too big."""
        Cloud().call("check", news.get("name"), olds=types(olds), news=types(news))
        size = news.get("size")
        if isinstance(size, float) and size > BIGGEST:
            return CheckResult(news, [CheckFailure("size", f"must be at most {BIGGEST}")])
        return CheckResult(news, [])

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Compare what the cloud knows; `first` says that the old toy goes before the new one comes."""
        Cloud().call("diff", olds.get("name"), id=id_, news=types(news))
        changed = [field for field in FIELDS if olds.get(field) != news.get(field)]
        return DiffResult(
            changes=bool(changed),
            replaces=[field for field in changed if field == "kind"],
            delete_before_replace=news.get("first") is True,
        )

    def outputs(self, identity: str, props: Props) -> Props:
        """Inputs and what the cloud made of them, among it a secret."""
        known = {key: value for key, value in props.items() if key in FIELDS}
        return {**known, "url": f"toy://{props['name']}/{identity}", "key": f"key-of-{props['name']}"}

    def create(self, props: Props) -> CreateResult:
        """Make a toy."""
        Cloud().call("create", props["name"], types=types(props), token=self.token)
        identity = f"{props['name']}-{uuid.uuid4().hex[:6]}"
        Cloud().write(identity, props)
        return CreateResult(identity, self.outputs(identity, props))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Say what the toy is like now."""
        Cloud().call("read", props["name"], token=self.token)
        found = Cloud().read(id_)
        if found is None:
            return ReadResult(None, {})
        inputs = {key: found[key] for key in FIELDS if key in found}
        return ReadResult(id_, self.outputs(id_, found), inputs)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Change the toy."""
        Cloud().call("update", news["name"], olds=types(olds), news=types(news))
        Cloud().write(id_, news)
        return UpdateResult(self.outputs(id_, news))

    def delete(self, id_: str, props: Props) -> None:
        """Delete the toy."""
        Cloud().call("delete", props["name"], token=self.token)
        Cloud().delete(id_)


class Toy(Resource, module="toy", name="Toy"):
    """A toy. Its `key` is a secret that the cloud makes up."""

    name: pulumi.Output[str]
    size: pulumi.Output[int]
    url: pulumi.Output[str]
    key: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        /,
        opts: pulumi.ResourceOptions | None = None,
        provider: ResourceProvider | None = None,
        secrets: tuple[str, ...] = ("key",),
        **props: Any,  # noqa: ANN401 - any input
    ) -> None:
        opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=list(secrets)), opts)
        props = {"name": name, "size": 1, **props}
        super().__init__(provider or ToyProvider(), name, {"url": None, "key": None, **props}, opts)


class Box(pulumi.ComponentResource):
    """A component with a toy, which is called after it."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, token: str = "toys:index:Box") -> None:  # noqa: S107 - a type token
        super().__init__(token, name, None, opts)
        self.toy = Toy(f"{name}-toy", pulumi.ResourceOptions(parent=self))
        self.register_outputs({"url": self.toy.url})


def lane(name: str = "lane", **config: pulumi.Input[str]) -> pulumi.ProviderResource:
    """An explicit provider instance; `toy_token` becomes `toy:token`."""
    return pulumi.ProviderResource(
        "pulumi-python", name, {key.replace("_", ":"): value for key, value in config.items()}
    )


def on(provider: pulumi.ProviderResource, **options: Any) -> pulumi.ResourceOptions:  # noqa: ANN401 - any option
    """Options with an explicit provider."""
    return pulumi.ResourceOptions(provider=provider, **options)
