"""Policies as sets, and the signed IAM calls that carry them."""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import httpx
import pytest

from dynamic_providers.api import Api, Patience
from dynamic_providers.errors import AbsentError, DoubtfulAbsenceError, RefusedError, ShapeError
from dynamic_providers.limiter import HostLimiter
from dynamic_providers.timeweb.grants import Grants, not_found, parse_xml
from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.policies import document, granted, statements

SIGNER = Signer(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NAMESPACE = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'
DONE = httpx.Response(200, text=f"<PutUserPolicyResponse {NAMESPACE}/>")
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def against(tmp_path: Path) -> Callable[[Answer], Grants]:
    def open_grants(answer: Answer) -> Grants:
        api = Api(
            "https://panel.example",
            "the-bearer-token",
            limiter=HostLimiter(tmp_path / "rate", 10_000),
            absent=not_found,
            patience=Patience(0.01, 0.001, 0.001, 0.001),
            transport=httpx.MockTransport(answer),
        )
        return Grants(api, SIGNER, "ru-1")

    return open_grants


def sign_by_hand(request: httpx.Request) -> str:
    """Signature version 4, written down from its description."""
    stamp = request.headers["x-amz-date"]
    names = ["content-type", "host", "x-amz-date"]
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in names)
    digest = hashlib.sha256(request.content).hexdigest()
    canonical = "\n".join(["POST", "/", "", headers, ";".join(names), digest])
    scope = f"{stamp[:8]}/ru-1/iam/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SIGNER.secret_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return (
        f"AWS4-HMAC-SHA256 Credential={SIGNER.access_key}/{scope}, SignedHeaders={';'.join(names)},"
        f" Signature={key.hex()}"
    )


def test_a_put_is_one_signed_form_and_carries_no_bearer_token(against: Callable[[Answer], Grants]) -> None:
    """G5."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return DONE

    policy = document("b-1", blocked=False)
    against(answer).put("tenantry-acme", policy)
    (request,) = seen
    form = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
    assert json.loads(form.pop("PolicyDocument")) == policy
    assert form == {
        "Action": "PutUserPolicy",
        "Version": "2010-05-08",
        "UserName": "tenantry-acme",
        "PolicyName": "iam-user-policy",
    }
    assert str(request.url) == "https://panel.example/"
    assert request.headers["authorization"] == sign_by_hand(request)
    assert "the-bearer-token" not in str(request.headers)


def listing(*names: str, truncated: str = "false") -> str:
    members = "".join(f"<member>{name}</member>" for name in names)
    body = f"<PolicyNames>{members}</PolicyNames><IsTruncated>{truncated}</IsTruncated>"
    return f"<Response {NAMESPACE}><ListUserPoliciesResult>{body}</ListUserPoliciesResult></Response>"


@pytest.mark.parametrize("written", [quote, lambda text: text.replace('"', "&quot;")], ids=["AWS", "Ceph"])
def test_documents_are_read_as_each_store_writes_them(
    against: Callable[[Answer], Grants], written: Callable[[str], str]
) -> None:
    policy = written(json.dumps(document("b-1", blocked=False)))

    def answer(request: httpx.Request) -> httpx.Response:
        if b"ListUserPolicies" in request.content:
            return httpx.Response(200, text=listing("iam-user-policy"))
        return httpx.Response(200, text=f"<R {NAMESPACE}><PolicyDocument>{policy}</PolicyDocument></R>")

    assert against(answer).policies("u") == {"iam-user-policy": statements(document("b-1", blocked=False))}


def test_all_policies_of_a_user_count(against: Callable[[Answer], Grants]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if b"ListUserPolicies" in request.content:
            return httpx.Response(200, text=listing("iam-user-policy", "stray"))
        blocked = b"iam-user-policy" in request.content
        policy = json.dumps(document("b-1", blocked=blocked))
        return httpx.Response(200, text=f"<R><PolicyDocument>{policy}</PolicyDocument></R>")

    assert against(answer).policies("u") == {
        "iam-user-policy": statements(document("b-1", blocked=True)),
        "stray": statements(document("b-1", blocked=False)),
    }


@pytest.mark.parametrize("policy", ["", "[]", "{broken", "%7Bbroken"])
def test_a_policy_that_is_no_document_is_an_error(against: Callable[[Answer], Grants], policy: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        listed = b"ListUserPolicies" in request.content
        body = listing("iam-user-policy") if listed else f"<R><PolicyDocument>{policy}</PolicyDocument></R>"
        return httpx.Response(200, text=body)

    with pytest.raises(ShapeError, match="is no JSON document"):
        against(answer).policies("u")


def test_a_list_with_more_pages_is_refused(against: Callable[[Answer], Grants]) -> None:
    with pytest.raises(ShapeError, match="more policies"):
        against(lambda _: httpx.Response(200, text=listing("a", truncated="true"))).policies("u")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>", AbsentError),
        (404, f"<ErrorResponse {NAMESPACE}><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>", AbsentError),
        (404, "<ErrorResponse><Error><Code>NoSuchUpload</Code></Error></ErrorResponse>", DoubtfulAbsenceError),
        (404, '{"error_code": "not_found"}', DoubtfulAbsenceError),
        (404, "<html><body>404</body></html>", DoubtfulAbsenceError),
        (403, "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>", RefusedError),
    ],
)
def test_only_no_such_entity_is_absence(
    against: Callable[[Answer], Grants], status: int, body: str, error: type[Exception]
) -> None:
    """G17."""
    with pytest.raises(error):
        against(lambda _: httpx.Response(status, text=body)).policies("u")


def test_the_signers_keys_are_not_in_an_error(against: Callable[[Answer], Grants]) -> None:
    """A7."""
    echo = f"<E><Message>{SIGNER.secret_key} of {SIGNER.access_key} is wrong</Message></E>"
    with pytest.raises(RefusedError) as caught:
        against(lambda _: httpx.Response(403, text=echo)).policies("u")
    assert SIGNER.secret_key not in str(caught.value)
    assert SIGNER.access_key not in str(caught.value)


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize("text", [BOMB, "<!doctype html><html/>", "<x><![CDATA[y]]></x>", "", "no xml", "<open>"])
def test_xml_that_could_do_more_than_tell_is_refused(text: str) -> None:
    with pytest.raises(ShapeError):
        parse_xml(text)


def test_documents_are_compared_as_sets() -> None:
    """G5: Sids repeat, order is not kept, a single value may stand for a list."""
    policy = document("b-1", blocked=False)
    shuffled: dict[str, Any] = {"Version": "2012-10-17", "Statement": [dict(s) for s in reversed(policy["Statement"])]}
    for entry in shuffled["Statement"]:
        entry["Sid"] = "same"
        entry["Action"] = list(reversed(entry["Action"])) if isinstance(entry["Action"], list) else [entry["Action"]]
    assert statements(shuffled) == statements(policy)
    assert statements({"Statement": policy["Statement"][0]}) == statements(document("b-1", blocked=True))


@pytest.mark.parametrize(
    "change",
    [{"Effect": "Deny"}, {"Action": ["s3:Get*"]}, {"Resource": ["*"]}, {"Condition": {"Bool": {"x": "true"}}}],
    ids=str,
)
def test_any_other_statement_is_another_policy(change: dict[str, Any]) -> None:
    policy = document("b-1", blocked=False)
    changed = {"Statement": [policy["Statement"][0], policy["Statement"][1] | change, policy["Statement"][2]]}
    blocked, bucket = granted(statements(changed), "b-1")
    assert not blocked
    assert bucket.startswith("another policy: ")


def test_what_is_granted_reads_back_as_inputs() -> None:
    assert granted(statements(document("b-1", blocked=False)), "b-1") == (False, "b-1")
    assert granted(statements(document("b-1", blocked=True)), "b-1") == (True, "b-1")
    assert granted(frozenset(), "b-1") == (True, "no policy")
    assert granted(statements(document("b-2", blocked=False)), "b-1")[1] == (
        "another policy: *, arn:aws:s3:::b-2, arn:aws:s3:::b-2/*"
    )


def test_a_blocked_user_may_do_nothing_but_list_bucket_names() -> None:
    """G46."""
    (only,) = statements(document("b-1", blocked=True))
    assert (only.effect, sorted(only.actions), sorted(only.resources)) == ("Allow", ["s3:ListAllMyBuckets"], ["*"])
