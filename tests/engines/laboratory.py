"""A project in a temporary folder, its toy cloud, and an engine to run it: the same for both engines."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

from engines.embedded import EmbeddedEngine
from engines.embedded.passphrase import open_crypter
from engines.embedded.properties import SIGNATURE
from engines.engine import Operation, Result
from tests.engines.command_line import CommandLine

Kind = Literal["embedded", "pulumi"]
PASSPHRASE = "correct horse"
# The salt of that passphrase; a fixed one costs one key derivation per test process.
SALT = "v1:c2FsdHNhbHQ=:v1:t5eBwIzkLWMXlqWx:4fBITppjfRLg6zhXITUiwPkj0QlMsg=="
STACK = "dev"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADER = "import pulumi\nfrom toys import Box, Toy, lane, on\n\n"
QUIET = frozenset({"configure", "check", "diff"})


class Laboratory:
    """One stack of one project."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.kind = kind
        self.project = folder / "project"
        self.cloud = folder / "cloud"
        self.state = folder / "state"
        for path in (self.project, self.cloud / "objects", self.cloud / "faults", self.state, folder / "home"):
            path.mkdir(parents=True)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "TOY_CLOUD": str(self.cloud),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_ERROR_OUTPUT_STRING": "1",
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        shutil.copy(Path(__file__).with_name("toys.py"), self.project)
        self.configure()
        self._offset = 0
        self._cli: CommandLine | None = None

    def configure(
        self,
        project_config: Mapping[str, Any] | None = None,
        stack_config: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Write Pulumi.yaml and Pulumi.dev.yaml."""
        project_config = {"pulumi:disable-default-providers": ["*"]} if project_config is None else project_config
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        document = {"name": "playground", "runtime": runtime, "config": project_config}
        # JSON is YAML.
        (self.project / "Pulumi.yaml").write_text(json.dumps(document, indent=2), encoding="utf-8")
        encrypt = open_crypter(SALT, PASSPHRASE).encrypt
        config = {**(stack_config or {}), **{key: {"secure": encrypt(text)} for key, text in (secrets or {}).items()}}
        stack = {"encryptionsalt": SALT, **({"config": config} if config else {})}
        (self.project / f"Pulumi.{STACK}.yaml").write_text(json.dumps(stack, indent=2), encoding="utf-8")

    def program(self, text: str) -> None:
        """Write the program; toys are imported already."""
        # A program of the same length written within the same second would be taken for the cached one.
        shutil.rmtree(self.project / "__pycache__", ignore_errors=True)
        (self.project / "__main__.py").write_text(HEADER + dedent(text), encoding="utf-8")

    @property
    def engine(self) -> CommandLine | EmbeddedEngine:
        """The engine under test."""
        return self.cli if self.kind == "pulumi" else self.embedded

    @property
    def embedded(self) -> EmbeddedEngine:
        """The embedded engine on this project."""
        return EmbeddedEngine(self.project, STACK, self.state, self.environ)

    @property
    def cli(self) -> CommandLine:
        """The CLI on this project."""
        if self._cli is None:
            self._cli = CommandLine(self.project, STACK, self.environ)
        return self._cli

    def preview(self, *, refresh: bool = False) -> Result:
        """Run a preview."""
        return self.engine.preview(refresh=refresh)

    def up(self, *, refresh: bool = False, continue_on_error: bool = False, preview: bool = False) -> Result:
        """Run an update that may fail. The flags are for the CLI: the embedded engine decides for itself."""
        if self.kind == "pulumi":
            return self.cli.up(refresh=refresh, continue_on_error=continue_on_error, preview=preview)
        return self.embedded.up(refresh=refresh)

    def applied(self, text: str) -> Result:
        """Run an update of a program, which must succeed, and start a new log of calls."""
        self.program(text)
        result = self.up()
        assert result.ok, result.failures
        self.calls()
        return result

    def log(self) -> list[dict[str, Any]]:
        """Every call since the last look, quiet ones included."""
        file = self.cloud / "log"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        new, self._offset = lines[self._offset :], len(lines)
        return [json.loads(line) for line in new]

    def calls(self) -> list[str]:
        """The calls since the last look that read or change something: `create a`."""
        return [f"{call['call']} {call['name']}" for call in self.log() if call["call"] not in QUIET]

    def fault(self, name: str, call: str, text: str) -> Path:
        """Make a call fail with a text, until the file is removed."""
        file = self.cloud / "faults" / f"{name}.{call}"
        file.write_text(text, encoding="utf-8")
        return file

    def objects(self) -> dict[str, dict[str, Any]]:
        """What is in the cloud, by name."""
        found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((self.cloud / "objects").iterdir())]
        return {thing["name"]: thing for thing in found}

    def lose(self, name: str) -> None:
        """Let an object vanish behind the engine's back."""
        for file in (self.cloud / "objects").glob(f"{name}-*.json"):
            file.unlink()

    def drift(self, name: str, **values: object) -> None:
        """Change an object behind the engine's back."""
        for file in (self.cloud / "objects").glob(f"{name}-*.json"):
            thing = json.loads(file.read_text(encoding="utf-8"))
            file.write_text(json.dumps({**thing, **values}), encoding="utf-8")

    def deployment(self) -> dict[str, Any]:
        """The deployment that the engine exports."""
        exported: dict[str, Any] = self.engine.export()["deployment"]
        return exported

    def resources(self) -> dict[str, dict[str, Any]]:
        """The entries of the state, by logical name."""
        return {entry["urn"].rpartition("::")[2]: entry for entry in self.deployment().get("resources") or []}

    def names(self) -> set[str]:
        """Names in the state, without the stack."""
        return {name for name, entry in self.resources().items() if entry["type"] != "pulumi:pulumi:Stack"}


def operations(result: Result) -> dict[str, Operation]:
    """What became of each custom resource, by name; provider instances and components are left out."""
    return {change.name: change.operation for change in result.changes if change.type.startswith("pulumi-python:")}


def failed(result: Result) -> set[str]:
    """Names of what failed."""
    return {failure.name for failure in result.failures}


def is_secret(value: object) -> bool:
    """Whether a value of an entry is encrypted."""
    return isinstance(value, dict) and "ciphertext" in value and SIGNATURE in value
