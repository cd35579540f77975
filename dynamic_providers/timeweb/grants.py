"""Grants of scoped storage users: the AWS IAM Query API on a host of its own, signed with the account's keys (G5)."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Generator
from http import HTTPStatus
from urllib.parse import unquote

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dynamic_providers.api import Api, Call
from dynamic_providers.errors import ShapeError
from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.policies import Statement, statements

# The panel reads and writes only this one.
POLICY = "iam-user-policy"
VERSION = "2010-05-08"
SIGNED_HEADERS = ("Content-Type",)


class SigV4(httpx.Auth):
    """Signs each request at the moment it is sent, so that a repeated one is signed anew."""

    requires_request_body = True

    def __init__(self, signer: Signer, *, service: str, region: str) -> None:
        self._auth = SigV4Auth(Credentials(signer.access_key, signer.secret_key), service, region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds date and signature."""
        headers = {name: request.headers[name] for name in SIGNED_HEADERS}
        unsigned = AWSRequest(request.method, str(request.url), headers=headers, data=request.content)
        self._auth.add_auth(unsigned)
        request.headers.update(dict(unsigned.headers.items()))
        yield request


class Grants:
    """The inline policies of scoped users. Made for one use with keys read for it, then dropped."""

    def __init__(self, api: Api, signer: Signer, region: str) -> None:
        self._api = api
        self._signer = signer
        self._region = region

    def put(self, user: str, policy: dict[str, object]) -> None:
        """Replaces the user's policy by a whole document."""
        self._ask("PutUserPolicy", UserName=user, PolicyName=POLICY, PolicyDocument=json.dumps(policy))

    def policies(self, user: str) -> dict[str, frozenset[Statement]]:
        """What each of the user's policies grants; ours is one of them, a foreign one grants beside it."""
        return {name: statements(self._document(user, name)) for name in sorted(self._names(user))}

    def delete(self, user: str, name: str) -> None:
        """Removes one policy."""
        self._ask("DeleteUserPolicy", UserName=user, PolicyName=name)

    def _names(self, user: str) -> frozenset[str]:
        answer = self._ask("ListUserPolicies", UserName=user)
        if answer.findtext(".//{*}IsTruncated") == "true":
            raise ShapeError(f"storage user {user} has more policies than one page holds")
        return frozenset(member.text or "" for member in answer.iterfind(".//{*}PolicyNames/{*}member"))

    def _document(self, user: str, name: str) -> dict[str, object]:
        text = self._ask("GetUserPolicy", UserName=user, PolicyName=name).findtext(".//{*}PolicyDocument", "").strip()
        # AWS percent-encodes the document, Ceph does not.
        try:
            document = json.loads(text if text.startswith("{") else unquote(text))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ShapeError(f"policy {name} of storage user {user} is no JSON document")
        return document

    def _ask(self, action: str, **parameters: str) -> ET.Element:
        form = {"Action": action, "Version": VERSION, **parameters}
        auth = SigV4(self._signer, service="iam", region=self._region)
        secrets = (self._signer.access_key, self._signer.secret_key)
        # All four actions can be repeated: they set, read or remove one thing named in full.
        call = Call("POST", "/", form=form, auth=auth, secrets=secrets, idempotent=True)
        return parse_xml(self._api.request(call).text)


def not_found(response: httpx.Response) -> bool:
    """Whether the answer says `NoSuchEntity`, the one proof of absence there."""
    try:
        code = parse_xml(response.text).findtext(".//{*}Code")
    except ShapeError:
        return False
    return response.status_code == HTTPStatus.NOT_FOUND and code == "NoSuchEntity"


def parse_xml(text: str) -> ET.Element:
    """An IAM answer. Raises ShapeError for what is no XML, and for any document type: entities could expand."""
    if "<!" in text:
        raise ShapeError("an IAM answer brings declarations of its own: refused")
    try:
        return ET.fromstring(text)  # noqa: S314  without declarations there is nothing to expand
    except ET.ParseError as error:
        raise ShapeError(f"an IAM answer is no XML: {error}") from error
