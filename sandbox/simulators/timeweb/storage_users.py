"""Rules for storage users: the account's own one, which signs, and the scoped ones outside the published document."""

from uuid import uuid4

from sandbox.simulators.timeweb.errors import ConflictError, NotFoundError
from sandbox.simulators.timeweb.records import Account, StorageUser
from sandbox.simulators.timeweb.state import SIGNER, State, new_access_key, new_secret_key
from sandbox.simulators.timeweb.storage import Login


def rekey_signer(state: State, user_id: int, secret_key: str) -> Account:
    """Give the account's own user another secret key."""
    account = state.account
    if user_id != account.id:
        raise NotFoundError
    account = state.accounts.put(account.model_copy(update={"secret_key": secret_key}))
    state.storage.set_signer(Login(SIGNER, account.access_key, account.secret_key))
    return account


def get(state: State, uuid: str) -> StorageUser:
    """One scoped user; NotFoundError when there is none."""
    for user in state.storage_users.all():
        if user.uuid == uuid:
            return user
    raise NotFoundError


def create(state: State, name: str) -> StorageUser:
    """A new user without any grant. Names are unique, because grants find the user by its name."""
    with state.database.transaction():
        if name in {user.name for user in state.storage_users.all()} or name == SIGNER:
            raise ConflictError(f"a storage user {name!r} exists")
        user = state.storage_users.add(
            StorageUser(
                uuid=str(uuid4()),
                name=name,
                access_key=new_access_key(),
                secret_key=new_secret_key(),
                created_at=state.clock(),
            )
        )
    state.storage.create_user(Login(user.name, user.access_key, user.secret_key))
    return user


def delete(state: State, uuid: str) -> None:
    """Remove a user; its policy goes with it."""
    user = get(state, uuid)
    state.storage.delete_user(user.name)
    state.storage_users.remove(user.id)
