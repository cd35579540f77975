"""What the sandbox refuses; apart from the servers, which take long to import."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; one sentence for the user."""
