"""Every figure of the simulation says where it is from."""

import pytest

from streams.simulate.parameters import FLAGS, Figures, packaged


@pytest.mark.parametrize("name", packaged())
def test_a_figure_has_a_unit_a_flag_and_a_source(name: str) -> None:
    figure = packaged()[name]
    assert figure.unit.strip()
    assert figure.source.strip()
    assert figure.flag in FLAGS


def test_enriching_multiplies_what_is_rare_and_nothing_else() -> None:
    plain, often = Figures.enriched(), Figures.enriched(10)
    for name, figure in packaged().items():
        expected = min(figure.value * 10, figure.most) if figure.rare else figure.value
        assert often[name] == expected
        assert plain[name] == figure.value


def test_however_often_somebody_stays_without_the_disease() -> None:
    assert Figures.enriched(1e9)["plo"] == 0.5
