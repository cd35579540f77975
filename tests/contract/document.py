"""A vendor's official document, and a client that holds every request and every answer against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
ABSENT = "the vendors' documents are not beside the checkout"

Json = dict[str, Any]


@dataclass(frozen=True)
class Document:
    """One official document, able to check a body against a schema of its own."""

    contents: Json

    @classmethod
    def read(cls, name: str) -> "Document":
        """The document of this file name."""
        return cls(json.loads((SPECS / name).read_text()))

    def operation(self, method: str, template: str) -> Json | None:
        """What the document says of an operation, if it has it."""
        found: Json | None = self.contents["paths"].get(template, {}).get(method.lower())
        return found

    def resolved(self, value: Json) -> Json:
        """The part of the document that a reference names, or the value itself."""
        if "$ref" not in value:
            return value
        found: Json = self.contents
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found

    def problems(self, schema: Mapping[str, Any], body: object) -> list[str]:
        """What the schema finds wrong with the body."""
        registry: Registry[Any] = Registry().with_resource("doc:", DRAFT4.create_resource(self.contents))
        closed = json.loads(json.dumps(dict(schema)).replace('"#/', '"doc:#/'))
        validator = OAS30Validator(closed, registry=registry, format_checker=oas30_format_checker)
        return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(body)]


@dataclass
class Checked:
    """A client that remembers which operations of the document it has seen succeed."""

    document: Document
    client: httpx.Client
    covered: set[tuple[str, str]] = field(default_factory=set)

    def __call__(
        self,
        method: str,
        template: str,
        body: object = None,
        query: Json | None = None,
        **ids: Any,  # noqa: ANN401 - ids are numbers or texts
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer to a request, after both were held against the document."""
        response = self.client.request(method, template.format(**ids), json=body, params=query)
        operation = self.document.operation(method, template)
        assert operation, f"{method} {template} is not in the document"
        if response.is_success:
            self.covered.add((method, template))
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert self.document.problems(schema, body) == [], f"{method} {template} sends what it should not"
        return self._answer(response, operation, f"{method} {template} {response.status_code}")

    def _answer(self, response: httpx.Response, operation: Json, what: str) -> Any:  # noqa: ANN401 - JSON
        answers = operation["responses"]
        told = answers.get(str(response.status_code), None if response.is_success else answers.get("default"))
        assert told is not None, f"{what}: the document has no such answer: {response.text}"
        content = self.document.resolved(told).get("content")
        if content is None:
            assert response.content == b"", what
            return None
        answer = response.json()
        assert self.document.problems(content["application/json"]["schema"], answer) == [], what
        return answer
