"""The object store behind simulated buckets: what the rules ask of it, and one that only counts names."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Usage:
    """What a bucket holds: objects, and bytes."""

    objects: int
    bytes: int


@dataclass(frozen=True)
class Login:
    """A user of the store with its one key pair."""

    name: str
    access_key: str
    secret_key: str


class StorageBackend(Protocol):
    """Buckets by their full name and users with their keys. Policies are put by the store's own IAM API."""

    @property
    def hostname(self) -> str:
        """Host and port the store answers on, as buckets report it."""

    def set_signer(self, login: Login) -> None:
        """Make or re-key the account's own user, which may do everything."""

    def create_bucket(self, name: str) -> None:
        """Make an empty bucket; one that exists stays as it is."""

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all it holds; one that is gone is fine."""

    def usage(self, name: str) -> Usage:
        """What the bucket holds."""

    def create_user(self, login: Login) -> None:
        """Make a user without any policy; one that exists stays as it is."""

    def delete_user(self, name: str) -> None:
        """Delete a user with its keys and policies; one that is gone is fine."""


class NoStorage:
    """Buckets without a store behind them: always empty."""

    @property
    def hostname(self) -> str:
        """A host nothing listens on."""
        return "s3.invalid"

    def set_signer(self, login: Login) -> None:
        """Nothing to sign in to."""

    def create_bucket(self, name: str) -> None:
        """Nothing to make."""

    def delete_bucket(self, name: str) -> None:
        """Nothing to delete."""

    def usage(self, name: str) -> Usage:  # noqa: ARG002 - all are empty
        """Nothing is held."""
        return Usage(0, 0)

    def create_user(self, login: Login) -> None:
        """Nothing to make."""

    def delete_user(self, name: str) -> None:
        """Nothing to delete."""
