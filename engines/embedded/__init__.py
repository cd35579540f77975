"""An engine in this Python process: Pulumi's own program, check → diff → create, update or delete, without the CLI."""

from engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
