"""The OpenAPI document is what is answered: a fuzzer that reads it finds no error of ours and no other answer."""

from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from streams.node.http.shapes import Problem
from tests.node.http_clinic import hospital, made

load_all_checks()


@schemathesis.serializer("application/hl7-v2")
def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


APPLICATION, NODE, _ = made(hospital(), most_items=100)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APPLICATION, headers={"host": "127.0.0.1"})

OPERATED: Final = "^/v1/(sources|dead-letters|receivers)"
"""They need a store; tests/node/test_operations_openapi.py asks a node that has one."""
ELSEWHERE: list[Any] = [positive_data_acceptance]
"""Resources, opaque words and rule ids: a JSON Schema does not say all of it, and some of what it allows is refused."""


@SCHEMA.exclude(path="/v1/notices").exclude(path_regex=OPERATED).parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_is_asked_breaks_it(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers={"host": "127.0.0.1"}, excluded_checks=ELSEWHERE)


def test_every_route_is_described_and_promises_no_answer_that_is_never_given() -> None:
    document = APPLICATION.openapi()
    assert "HTTPValidationError" not in str(document)
    assert document["components"]["schemas"]["Problem"]["title"] == Problem.__name__
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
