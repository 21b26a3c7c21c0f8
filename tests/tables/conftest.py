"""The packaged tables, read once for all tests of them."""

import pytest

from schemas.tables import Tables


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables.load()
