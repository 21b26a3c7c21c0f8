"""The operators' routes on a real store: a fuzzer that reads their description finds no other answer."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.node.operated import operated_application
from tests.node.test_http_openapi import OPERATED

FOLDER = tempfile.TemporaryDirectory()
APPLICATION, NODE = operated_application(Path(FOLDER.name))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APPLICATION, headers={"host": "127.0.0.1"})


@SCHEMA.include(path_regex=OPERATED).parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_an_operator_asks_breaks_it(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers={"host": "127.0.0.1"}, excluded_checks=[positive_data_acceptance])


@pytest.fixture(scope="module", autouse=True)
def _stopped() -> Any:
    yield
    NODE.close()
    FOLDER.cleanup()
