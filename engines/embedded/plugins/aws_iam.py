"""`aws:iam/user:User`, `aws:iam/accessKey:AccessKey` and `aws:iam/userPolicy:UserPolicy`."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from engines.embedded.plugins import Arguments
from engines.embedded.plugins.aws_clients import Clients
from engines.embedded.plugins.aws_marks import as_tags, code_of, from_tags, is_ours
from engines.embedded.provider import Made

ABSENT = "NoSuchEntity"


def _or_none(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the call answers
    """Answer what a call finds, None where the vendor says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) == ABSENT:
            return None
        raise


class Users:
    """IAM users; the id is the name."""

    arguments = frozenset({"name", "tags", "forceDestroy"})
    required = frozenset({"name"})
    replaces: frozenset[str] = frozenset()

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer all three arguments."""
        return {
            "name": arguments.get("name"),
            "tags": arguments.get("tags") or {},
            "forceDestroy": arguments.get("forceDestroy") or False,
        }

    def create(self, arguments: Arguments) -> Made:
        """Make the user with its tags in one call, or adopt one that carries our marks."""
        wanted = self.normal(arguments)
        name, tags = wanted["name"], wanted["tags"]
        found = self._find(name)
        if found is None:
            found = self._clients.iam.create_user(UserName=name, Tags=as_tags(tags))["User"]
        elif not is_ours(tags, from_tags(found.get("Tags", []))):
            raise FileExistsError(f"user '{name}' exists and does not carry our tags: remove it, or take another name")
        else:
            self._tag(name, from_tags(found["Tags"]), tags)
        return Made(name, _user_outputs(wanted, found))

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read name and tags."""
        found = self._find(id_)
        if found is None:
            return None
        tags = from_tags(found.get("Tags", []))
        return _user_outputs({**self.normal(outputs), "name": found["UserName"], "tags": tags}, found)

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Write the tags and the name; `forceDestroy` is only remembered."""
        wanted = self.normal(news)
        if wanted["name"] != id_:
            # The name is the id, and an update keeps the id; our programs never change it, since it is also the mark.
            raise ValueError(f"user '{id_}' cannot be renamed by the embedded engine: use the Pulumi CLI")
        self._tag(id_, self.normal(olds)["tags"], wanted["tags"])
        return _user_outputs(wanted, self._clients.iam.get_user(UserName=id_)["User"])

    def delete(self, id_: str, outputs: Arguments) -> None:
        """Delete the user; what hangs on it only with `forceDestroy`."""
        with suppress(self._clients.iam.exceptions.NoSuchEntityException):
            if self.normal(outputs)["forceDestroy"]:
                self._strip(id_)
            self._clients.iam.delete_user(UserName=id_)

    def _strip(self, name: str) -> None:
        for key in self._clients.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            self._clients.iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        for policy in self._clients.iam.list_user_policies(UserName=name)["PolicyNames"]:
            self._clients.iam.delete_user_policy(UserName=name, PolicyName=policy)
        for attached in self._clients.iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
            self._clients.iam.detach_user_policy(UserName=name, PolicyArn=attached["PolicyArn"])

    def _find(self, name: str) -> Any:  # noqa: ANN401 - the client's own structure
        return _or_none(lambda: self._clients.iam.get_user(UserName=name)["User"])

    def _tag(self, name: str, before: dict[str, str], wanted: dict[str, str]) -> None:
        if gone := sorted(before.keys() - wanted.keys()):
            self._clients.iam.untag_user(UserName=name, TagKeys=gone)
        if changed := dict(wanted.items() - before.items()):
            self._clients.iam.tag_user(UserName=name, Tags=as_tags(changed))


def _user_outputs(known: dict[str, Any], found: Any) -> dict[str, Any]:  # noqa: ANN401 - the client's own structure
    return {**known, "tagsAll": known["tags"], "arn": found["Arn"], "uniqueId": found["UserId"], "path": found["Path"]}


class AccessKeys:
    """Access keys; the id is the key itself, and the secret is known at its creation only."""

    arguments = frozenset({"user", "status"})
    required = frozenset({"user"})
    replaces = frozenset({"user"})

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer both arguments."""
        return {"user": arguments.get("user"), "status": arguments.get("status") or "Active"}

    def create(self, arguments: Arguments) -> Made:
        """Make a key; there is nothing to adopt, because nobody can read the secret of an old one."""
        wanted = self.normal(arguments)
        made = self._clients.iam.create_access_key(UserName=wanted["user"])["AccessKey"]
        if wanted["status"] != made["Status"]:
            self._set_status(made["AccessKeyId"], wanted)
        created = made["CreateDate"].isoformat()
        return Made(made["AccessKeyId"], {**wanted, "secret": made["SecretAccessKey"], "createDate": created})

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read the status."""
        user = outputs["user"]
        keys = _or_none(lambda: self._clients.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) or []
        for key in keys:
            if key["AccessKeyId"] == id_:
                return {**outputs, "status": key["Status"]}
        return None

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Switch the key on or off."""
        wanted = self.normal(news)
        self._set_status(id_, wanted)
        return {**olds, **wanted}

    def delete(self, id_: str, outputs: Arguments) -> None:
        """Delete the key."""
        with suppress(self._clients.iam.exceptions.NoSuchEntityException):
            self._clients.iam.delete_access_key(UserName=outputs["user"], AccessKeyId=id_)

    def _set_status(self, id_: str, wanted: dict[str, Any]) -> None:
        self._clients.iam.update_access_key(UserName=wanted["user"], AccessKeyId=id_, Status=wanted["status"])


class UserPolicies:
    """Inline policies of users; the id is `<user>:<name>`. Two documents are the same if their JSON is."""

    arguments = frozenset({"name", "user", "policy"})
    required = frozenset({"name", "user", "policy"})
    replaces = frozenset({"name", "user"})

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer name and user as they are, and what the policy says."""
        policy = arguments.get("policy")
        document = json.loads(policy) if isinstance(policy, str) else policy
        return {"name": arguments.get("name"), "user": arguments.get("user"), "policy": document}

    def create(self, arguments: Arguments) -> Made:
        """Write the policy."""
        return Made(f"{arguments['user']}:{arguments['name']}", self._put(arguments))

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read the policy; the recorded text stands while it says the same."""
        user, _, name = id_.partition(":")
        found = _or_none(lambda: self._clients.iam.get_user_policy(UserName=user, PolicyName=name)["PolicyDocument"])
        if found is None:
            return None
        document = json.loads(found) if isinstance(found, str) else found
        if document == self.normal(outputs)["policy"]:
            return dict(outputs)
        return {**outputs, "policy": json.dumps(document)}

    def update(self, _id: str, _olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Write the policy."""
        return self._put(news)

    def delete(self, id_: str, _outputs: Arguments) -> None:
        """Delete the policy."""
        user, _, name = id_.partition(":")
        with suppress(self._clients.iam.exceptions.NoSuchEntityException):
            self._clients.iam.delete_user_policy(UserName=user, PolicyName=name)

    def _put(self, arguments: Arguments) -> dict[str, Any]:
        self._clients.iam.put_user_policy(
            UserName=arguments["user"], PolicyName=arguments["name"], PolicyDocument=arguments["policy"]
        )
        return {name: arguments[name] for name in ("name", "user", "policy")}
