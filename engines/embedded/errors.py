"""The errors inside the embedded engine.

EngineError
├── RefusedError          a feature of Pulumi that this engine does not implement
└── StateError            the state folder cannot be read or is in use
ResourceError             one resource cannot be brought to its wanted state
└── InvalidResourceError  it would fail for every engine before anything is done: the whole run stops
"""

from engines.engine import EngineError


class RefusedError(EngineError):
    """The program asks for something this engine does not implement."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"the embedded engine does not implement {feature}: run this program with the Pulumi CLI")


class StateError(EngineError):
    """The state cannot be read, is damaged, or belongs to another run."""


class ResourceError(Exception):
    """A resource's own failure, in the words of its provider."""


class InvalidResourceError(ResourceError):
    """The resource's inputs, options or provider are wrong; nothing more is started."""
