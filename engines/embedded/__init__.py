"""An engine in this Python process: Pulumi's own program, check → diff → create, update or delete, without the CLI."""

from engines.embedded.engine import EmbeddedEngine
from engines.embedded.store import revisions

__all__ = ["EmbeddedEngine", "revisions"]
