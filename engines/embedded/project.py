"""The project as the CLI reads it: Pulumi.yaml, Pulumi.<stack>.yaml, configuration as the program sees it."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from engines.embedded.errors import RefusedError
from engines.embedded.passphrase import new_salt
from engines.embedded.properties import number_text
from engines.engine import EngineError

DISABLE_DEFAULT_PROVIDERS = "pulumi:disable-default-providers"
# What a typed declaration in Pulumi.yaml may say.
DECLARATION = frozenset({"type", "default", "value", "description", "items"})
OTHER_ENCRYPTION = ("secretsprovider", "encryptedkey")


@dataclass(frozen=True)
class Config:
    """A stack's configuration: texts by namespaced key, and which keys hold a secret."""

    values: Mapping[str, str]
    secret_keys: frozenset[str]
    secret_texts: frozenset[str]

    def denies_default_provider(self, package: str) -> bool:
        """Say whether resources of a package must name their provider."""
        try:
            denied = list(json.loads(self.values.get(DISABLE_DEFAULT_PROVIDERS) or "[]"))
        except (ValueError, TypeError) as error:
            raise EngineError(f"configuration value '{DISABLE_DEFAULT_PROVIDERS}' is not a list") from error
        return package != "pulumi" and bool({"*", package} & {str(entry).strip() for entry in denied})


@dataclass(frozen=True)
class Project:
    """What Pulumi.yaml says, and where the stack's file is."""

    name: str
    folder: Path
    program: Path
    declared: Mapping[str, Any]
    stack: str
    stack_file: Path

    def salt(self, passphrase: str) -> str:
        """Answer the stack's encryptionsalt; a stack without one gets it, the file else kept byte for byte."""
        document = _load(self.stack_file) if self.stack_file.exists() else {}
        other = [key for key in OTHER_ENCRYPTION if document.get(key)]
        if other:
            raise RefusedError(f"the secrets provider of {self.stack_file.name} ('{other[0]}'); it knows passphrases")
        if salt := document.get("encryptionsalt"):
            return str(salt)
        salt = new_salt(passphrase)
        _append(self.stack_file, f"encryptionsalt: {salt}\n")
        return salt

    def config(self, decrypt: Callable[[str], str]) -> Config:
        """Answer the stack's configuration over the project's, as the program will read it."""
        document = _load(self.stack_file) if self.stack_file.exists() else {}
        if document.get("environment"):
            raise RefusedError(f"the 'environment' of {self.stack_file.name}")
        values, missing = self._declared()
        secrets: dict[str, list[str]] = {}
        for name, value in (document.get("config") or {}).items():
            key = _namespaced(name, self.name)
            texts: list[str] = []
            values[key] = _text(key, _opened(value, decrypt, texts))
            secrets[key] = texts
        if lacking := sorted(missing - values.keys()):
            raise EngineError(f"stack '{self.stack}' is missing configuration value '{lacking[0]}'")
        secret_keys = frozenset(key for key, texts in secrets.items() if texts)
        return Config(values, secret_keys, frozenset(text for texts in secrets.values() for text in texts))

    def _declared(self) -> tuple[dict[str, str], set[str]]:
        values: dict[str, str] = {}
        missing: set[str] = set()
        for name, declared in self.declared.items():
            key = _namespaced(name, self.name)
            value = _declared_value(key, declared)
            if value is None:
                missing.add(key)
            else:
                values[key] = _text(key, value)
        return values, missing


def load_project(folder: Path, stack: str) -> Project:
    """Read Pulumi.yaml. Raises EngineError for what is missing or for another language."""
    file = folder / "Pulumi.yaml"
    if not file.exists():
        raise EngineError(f"there is no Pulumi.yaml in {folder}")
    document = _load(file)
    runtime = document.get("runtime")
    language = runtime.get("name") if isinstance(runtime, Mapping) else runtime
    if language != "python":
        raise RefusedError(f"the runtime '{language}'")
    if document.get("stackConfigDir"):
        raise RefusedError("stackConfigDir in Pulumi.yaml")
    if not document.get("name"):
        raise EngineError(f"{file} has no 'name'")
    folder = folder.resolve()
    return Project(
        name=str(document["name"]),
        folder=folder,
        program=(folder / (document.get("main") or ".")).resolve(),
        declared=document.get("config") or {},
        stack=stack,
        stack_file=folder / f"Pulumi.{stack}.yaml",
    )


def _load(file: Path) -> Mapping[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(file)
    except YAMLError as error:
        raise EngineError(f"{file.name} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, Mapping | None):
        raise EngineError(f"{file.name} is not a mapping")
    return document or {}


def _append(file: Path, line: str) -> None:
    # A cell's stack file is a link to its base stack's: the file behind it is written.
    target = file.resolve()
    text = target.read_bytes() if target.exists() else b""
    separator = b"" if not text or text.endswith(b"\n") else b"\n"
    draft = target.with_name(f".{target.name}.new")
    draft.write_bytes(text + separator + line.encode())
    if target.exists():
        draft.chmod(target.stat().st_mode)
    os.replace(draft, target)  # noqa: PTH105 - the name says that it is one step


def _namespaced(name: object, project: str) -> str:
    return str(name) if ":" in str(name) else f"{project}:{name}"


def _declared_value(key: str, declared: Any) -> Any:  # noqa: ANN401 - YAML
    """Answer the project's own value of a key, None where the stack must give it."""
    if not isinstance(declared, Mapping):
        return declared
    unknown = sorted(declared.keys() - DECLARATION)
    if unknown:
        raise RefusedError(f"'{unknown[0]}' in the declaration of configuration key '{key}'")
    return declared.get("value", declared.get("default"))


def _opened(value: Any, decrypt: Callable[[str], str], texts: list[str]) -> Any:  # noqa: ANN401 - YAML
    """Decrypt every `secure:` in a value and collect what was in them."""
    if isinstance(value, Mapping):
        if value.keys() == {"secure"}:
            texts.append(decrypt(str(value["secure"])))
            return texts[-1]
        return {str(key): _opened(item, decrypt, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item, decrypt, texts) for item in value]
    return value


def _text(key: str, value: Any) -> str:  # noqa: ANN401 - YAML
    """Write a value as the CLI hands it to the program."""
    if isinstance(value, Mapping | list):
        return json.dumps(_sorted(key, value), separators=(",", ":"), ensure_ascii=False)
    scalar = _scalar(key, value)
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    if isinstance(scalar, float):
        return number_text(scalar)
    return "" if scalar is None else str(scalar)


def _sorted(key: str, value: Any) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, Mapping):
        return {name: _sorted(key, value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(key, item) for item in value]
    scalar = _scalar(key, value)
    return int(scalar) if isinstance(scalar, float) and scalar.is_integer() else scalar


def _scalar(key: str, value: Any) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, date):
        raise EngineError(f"configuration value '{key}' is a date: put it in quotes")
    return value


def config_inputs(config: Config) -> Iterator[tuple[str, str, bool]]:
    """What the default provider of dynamic resources records: key, text and whether it is secret."""
    for key in sorted(config.values):
        if not key.startswith("pulumi:"):
            yield key, config.values[key], key in config.secret_keys
