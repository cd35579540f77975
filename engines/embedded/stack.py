"""A stack before its program runs: project, configuration, key, and where its state is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engines.embedded.journal import Journal
from engines.embedded.masking import Masker
from engines.embedded.passphrase import Crypter, open_crypter, read_passphrase
from engines.embedded.project import Config, Project, load_project
from engines.embedded.report import Report
from engines.embedded.state import State
from engines.embedded.store import Folder
from engines.engine import Handler


@dataclass(frozen=True)
class Stack:
    """What every pass of the program needs. `environ` is what the program sees, `parallel` bounds provider calls."""

    project: Project
    config: Config
    salt: str
    crypter: Crypter
    folder: Folder
    masker: Masker
    environ: Mapping[str, str]
    parallel: int
    now: Callable[[], datetime]

    def report(self, handler: Handler) -> Report:
        """Start the report of a run."""
        return Report(handler, self.masker, self.now)

    def load(self) -> State:
        """Read the state; whatever is secret in it is masked from now on."""
        state = self.folder.load(self.crypter)
        for kept in state.before.values():
            self.masker.learn(kept.resource.inputs)
            self.masker.learn(kept.resource.outputs)
        return state


def open_stack(
    folder: Path,
    name: str,
    state_folder: Path,
    *,
    environ: Mapping[str, str],
    parallel: int,
    now: Callable[[], datetime],
    journal: Callable[[Path], Journal],
) -> Stack:
    """Read the project's files and unlock the stack's secrets. Raises EngineError."""
    project = load_project(folder, name)
    passphrase = read_passphrase(environ)
    salt = project.salt(passphrase)
    crypter = open_crypter(salt, passphrase)
    config = project.config(crypter.decrypt)
    masker = Masker()
    masker.learn_texts(config.secret_texts)
    masker.learn_texts([passphrase])
    return Stack(
        project=project,
        config=config,
        salt=salt,
        crypter=crypter,
        folder=Folder(state_folder, name, now, journal),
        masker=masker,
        environ=environ,
        parallel=parallel,
        now=now,
    )
