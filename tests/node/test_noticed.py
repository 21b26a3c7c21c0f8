"""What is taken and yet not as it should be is said to the sender, and counted for whoever looks at the metrics."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events import lab
from tests.node.engine_clinic import Node, node
from tests.support import on


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path, on(231)) as made:
        yield made


def noticed(made: Node) -> dict[str, int]:
    """The counter that the metrics show."""
    return {each.labels["what"]: each.value for each in made.reading.counters() if each.family == "noticed"}


def test_a_result_whose_unit_is_none_of_its_code_is_accepted_with_the_reason_and_counted(made: Node) -> None:
    found = made.take(lab(200, "68438-1", 30, "furlong", record="vitamin D"))
    made.take(lab(200, "68438-1", 30, "ng/mL", record="another"))
    assert [(i.outcome, i.reason) for i in found.items] == [("accepted", "unconvertible_unit")]
    assert found.counted == {"unconvertible_unit": 1}
    assert noticed(made) == {"unconvertible_unit": 1}


def test_a_result_of_an_unknown_unit_that_comes_again_is_a_duplicate_alone(made: Node) -> None:
    given = lab(200, "68438-1", 30, "furlong", record="vitamin D")
    made.take_together([given, given])
    assert noticed(made) == {"unconvertible_unit": 1}
