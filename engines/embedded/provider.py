"""What the engine asks of a provider, whichever kind it is; values are the engine's own, without secret wrappers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engines.embedded.properties import Properties


@dataclass(frozen=True)
class Checked:
    """Inputs as the provider wants them recorded, and what is wrong with them: (property, reason)."""

    inputs: Properties
    failures: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Difference:
    """Whether something changes (None: the provider does not say), and what cannot change in place."""

    changes: bool | None
    replaces: Sequence[str] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Made:
    """An object that a create made."""

    id: str
    outputs: Properties


@dataclass(frozen=True)
class Found:
    """An object that a read found; `inputs` is None where the recorded ones stand."""

    id: str
    outputs: Properties
    inputs: Properties | None = None


class Provider(Protocol):
    """One configured instance. Methods raise any exception; its text is the message for the user.

    `check` and `diff` run in previews too and may meet UNKNOWN. The others run only for real.
    """

    @property
    def known(self) -> bool:
        """Whether its configuration is known; if not, only `check` may be called."""
        ...

    def check(self, type_: str, olds: Properties, news: Properties) -> Checked:
        """Validate inputs, without input or output of any kind."""
        ...

    def diff(self, type_: str, id_: str, olds: Properties, news: Properties) -> Difference:
        """Compare recorded outputs with wanted inputs."""
        ...

    def create(self, type_: str, inputs: Properties) -> Made:
        """Make the object."""
        ...

    def read(self, type_: str, id_: str, outputs: Properties) -> Found | None:
        """Answer the object as it is, None where it is gone."""
        ...

    def update(self, type_: str, id_: str, olds: Properties, news: Properties) -> Properties:
        """Change the object in place and answer its outputs."""
        ...

    def delete(self, type_: str, id_: str, outputs: Properties) -> None:
        """Delete the object."""
        ...
