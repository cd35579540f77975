"""Saving a secret in a stack's configuration, encrypted as the Pulumi CLI does; never by way of an argument list."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from engines.embedded.passphrase import open_crypter, read_passphrase
from engines.embedded.project import load_project
from engines.engine import EngineError

# Keys and secrets are long words: no line is broken.
LONGEST_LINE = 1_000_000


def save_with_cli(project: Path, stack: str, environ: Mapping[str, str], key: str, secret: str) -> None:
    """By the CLI, with whatever secrets provider the stack has. Raises `EngineError`."""
    command = ["pulumi", "config", "set", "--secret", key, "--stack", stack, "--non-interactive"]
    done = subprocess.run(
        command, cwd=project, env=dict(environ), input=secret, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise EngineError(f"`{' '.join(command)}` failed: {reason}")


def save_with_passphrase(project: Path, stack: str, environ: Mapping[str, str], key: str, secret: str) -> None:
    """In the stack's file, under its passphrase; all else in the file stays. Raises `EngineError`."""
    opened = load_project(project, stack)
    passphrase = read_passphrase(environ)
    crypter = open_crypter(opened.salt(passphrase), passphrase)
    # A cell's stack file is a link to its base stack's: the file behind it is written.
    target = opened.stack_file.resolve()
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = LONGEST_LINE
    document = yaml.load(target)
    document.setdefault("config", {})[key] = {"secure": crypter.encrypt(secret)}
    draft = target.with_name(f".{target.name}.new")
    with draft.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.chmod(target.stat().st_mode)
    draft.replace(target)
