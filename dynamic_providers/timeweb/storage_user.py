"""A scoped user of the object store with one policy: its own bucket, or nothing while it is blocked (G5, A37, G46)."""

from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.errors import ShapeError
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.timeweb.grants import POLICY
from dynamic_providers.timeweb.models import StorageUser as Found
from dynamic_providers.timeweb.policies import Statement, document, granted, statements
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.waiting import found_by, wait_until

SECRETS = ["access_key", "secret_key"]


class StorageUserInputs(Inputs):
    """What the user is to be: its name is its mark, `bucket` a real name."""

    name: str
    bucket: str
    blocked: bool = False


class StorageUserProvider(TimewebProvider):
    """Find ours by name or create; grants are put whole and read back."""

    inputs = StorageUserInputs
    stateful_fields = frozenset({"name"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by name."""
        super().connect(session)
        timeweb = session.timeweb
        self.ours: Inventory[None, Found] = Inventory(lambda _account: timeweb.storage_users(), lambda user: user.name)

    def create(self, props: Props) -> CreateResult:
        """Identity first, then its grants; one found without its secret is made anew, it holds no data."""
        want = StorageUserInputs.of(props)
        user = self._with_secret(want.name)
        return CreateResult(user.id, outputs(want, user, user.secret_key, self._grant(want)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update; the secret is the state's, where it is kept."""
        want = StorageUserInputs.recorded(props)
        user = found_by(partial(self.session.timeweb.storage_user, id_))
        if user is None:
            return GONE
        found = together(found_by(partial(self.session.grants().policies, user.name)) or {})
        secret = user.secret_key or props.get("secret_key", "")
        return ReadResult(id_, outputs(want, user, secret, found), observed(want, user, found).props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One put of the whole policy."""
        self.changes_in_place(id_, olds, news)
        want = StorageUserInputs.of(news)
        user = Found(id=id_, name=want.name, access_key=olds.get("access_key", ""))
        return UpdateResult(outputs(want, user, olds.get("secret_key", ""), self._grant(want)))

    def delete(self, id_: str, _props: Props) -> None:
        """Deletes the identity; its policy goes with it."""
        timeweb = self.session.timeweb
        self.session.remove(
            partial(timeweb.delete_storage_user, id_),
            partial(timeweb.storage_user, id_),
            what=f"storage user {id_}",
        )
        self.ours.forget(None)

    def _with_secret(self, name: str) -> Found:
        timeweb, pace = self.session.timeweb, self.session.pace
        create = partial(timeweb.create_storage_user, name)
        user = find_or_create(self.ours, None, name, create, pace)
        if not user.secret_key:
            self.delete(user.id, {})
            user = find_or_create(self.ours, None, name, create, pace)
        if not user.secret_key:
            raise ShapeError(f"Timeweb made storage user {name} without telling its secret")
        return user

    def _grant(self, want: StorageUserInputs) -> frozenset[Statement]:
        """Puts the policy, removes any other and reads back: a suspension that is not proven is none (G46)."""
        policy = document(want.bucket, blocked=want.blocked)
        wanted = {POLICY: statements(policy)}
        grants, pace, what = self.session.grants(), self.session.brief, f"the policy of storage user {want.name}"

        def put() -> bool:
            # A user that was just made may not have reached the IAM host yet: NoSuchEntity passes.
            grants.put(want.name, policy)
            return True

        def look() -> dict[str, frozenset[Statement]]:
            found = grants.policies(want.name)
            for foreign in found.keys() - {POLICY}:
                grants.delete(want.name, foreign)
            return found

        wait_until(
            partial(found_by, put), lambda done: "" if done else "the user is unknown there", what=what, pace=pace
        )
        seen = wait_until(
            look, lambda found: "" if found == wanted else "it reads back differently", what=what, pace=pace
        )
        return together(seen)


def together(policies: dict[str, frozenset[Statement]]) -> frozenset[Statement]:
    """Everything that several policies grant."""
    return frozenset().union(*policies.values())


def observed(want: StorageUserInputs, user: Found, found: frozenset[Statement]) -> StorageUserInputs:
    """The inputs that would describe the user and its grants as they are."""
    blocked, bucket = granted(found, want.bucket)
    return want.model_copy(update={"name": user.name, "bucket": bucket, "blocked": blocked})


def outputs(want: StorageUserInputs, user: Found, secret_key: str, found: frozenset[Statement]) -> Props:
    """Every input as found, and the user's keys."""
    return observed(want, user, found).props() | {
        "user_id": user.id,
        "access_key": user.access_key,
        "secret_key": secret_key,
    }


@dataclass(frozen=True, kw_only=True)
class StorageUserArgs:
    """Arguments of StorageUser; `bucket` is the real name that Bucket answers with."""

    name: pulumi.Input[str]
    bucket: pulumi.Input[str]
    blocked: pulumi.Input[bool] = False


class StorageUser(Resource, module="timeweb", name="StorageUser"):
    """A scoped user of Timeweb's object store; `id` is the vendor's. Both keys are secret."""

    user_id: pulumi.Output[str]
    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]

    def __init__(self, name: str, args: StorageUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=SECRETS)
        super().__init__(
            StorageUserProvider(),
            name,
            declared(args, "user_id", "access_key", "secret_key"),
            pulumi.ResourceOptions.merge(secret, opts),
        )
