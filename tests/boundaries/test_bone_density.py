"""BMD-01 and BMD-02 at the boundaries of their limits."""

import pytest

from schemas.facts import Density, Diagnosis, Person, Risk
from tests.boundaries.clinic import HOUR_8, answered, asked, delivered, fed, held, order, pregnant, stood
from tests.support import Patient, number, on

AFTER = 300
END = 270 + 366


def mother() -> Patient:
    """Delivered on day 270."""
    return delivered(pregnant(), 270)


def dxa(
    p: Patient,
    at: float,
    *,
    z: str | None = None,
    t: str | None = None,
    site: str = "lumbar_spine",
    record: str | None = None,
    recorded: float | None = None,
) -> Patient:
    """A DXA value of one site."""
    said = Density("active", site, on(at), number(z), number(t))
    return p.say(said, record=record, recorded_at=on(at if recorded is None else recorded))


# ---- BMD-01


@pytest.mark.parametrize(("z", "found"), [("-1.9", False), ("-2.0", True), ("-2.1", True)])
@pytest.mark.parametrize("site", ["lumbar_spine", "total_hip", "femoral_neck"])
def test_a_z_score_of_minus_two_is_below_the_expected_range(z: str, site: str, found: bool) -> None:
    p = dxa(mother(), AFTER, z=z, site=site)
    assert held(p, "BMD-01") == ([(AFTER + HOUR_8, END)] if found else [])


def test_another_site_does_not_count() -> None:
    assert held(dxa(mother(), AFTER, z="-3", site="other"), "BMD-01") == []


@pytest.mark.parametrize("at", [-1, END])
def test_a_z_score_from_outside_the_episode_is_no_finding(at: int) -> None:
    assert held(dxa(mother(), at, z="-3"), "BMD-01") == []


def test_a_heparin_episode_counts() -> None:
    p = order(Patient(), "heparin", "heparin_ufh", 0, ends=100, dose=5000, unit="[IU]", doses_per_day=2)
    assert held(dxa(p, 50, z="-2.5"), "BMD-01") == [(50 + HOUR_8, 100 + 184)]


def test_a_heparin_episode_ends_where_a_pregnancy_episode_begins() -> None:
    p = order(pregnant(), "heparin", "heparin_ufh", -100, dose=5000, unit="[IU]", doses_per_day=2)
    dxa(p, -50, z="-2.5")
    assert held(p, "BMD-01") == [(-50 + HOUR_8, 0)]


@pytest.mark.parametrize(("turns_fifty", "found"), [(AFTER - 1, False), (AFTER, False), (AFTER + 1, True)])
def test_from_fifty_completed_years_on_it_does_not_apply(turns_fifty: int, found: bool) -> None:
    birthday = on(turns_fifty).date()
    p = mother().say(Person("active", birthday.replace(year=birthday.year - 50), "female"), recorded_at=on(0))
    assert bool(dxa(p, AFTER, z="-3").finding("BMD-01")) is found


def test_an_unknown_birth_date_is_judged_as_under_fifty_and_asked_for() -> None:
    p = dxa(mother(), AFTER, z="-3")
    assert asked(p, "BMD-01", 301) == ["birth date unknown: judged as under 50"]
    fed(p, "exclusive", 271)
    assert asked(p, "BMD-01", 301)[1] == "lactating at the DXA: bone density is then at its physiological low"


@pytest.mark.parametrize(("reported", "present", "found"), [(299, True, False), (301, True, True), (299, False, True)])
def test_menopause_present_by_then_excuses(reported: int, present: bool, found: bool) -> None:
    p = mother().say(Risk("active", "menopause", present, on(reported)), recorded_at=on(reported))
    assert bool(dxa(p, AFTER, z="-3").finding("BMD-01")) is found


def test_several_sites_are_one_finding_and_all_of_them_must_recover() -> None:
    p = dxa(dxa(mother(), AFTER, z="-2.4"), AFTER, z="-2.1", site="total_hip")
    assert held(p, "BMD-01") == [(AFTER + HOUR_8, END)]
    assert held(dxa(p, 400, z="-1.5"), "BMD-01") == [(AFTER + HOUR_8, END)]
    assert held(dxa(p, 410, z="-1.9", site="total_hip"), "BMD-01") == [(AFTER + HOUR_8, 410 + HOUR_8)]


def test_the_lowest_site_is_named() -> None:
    p = dxa(dxa(mother(), AFTER, z="-2.1"), AFTER, z="-2.4", site="total_hip")
    assert dict(p.finding("BMD-01")[0].details) == {
        "z": "-2.4",
        "site": "total hip",
        "day": on(AFTER).date().isoformat(),
    }


def test_a_site_that_is_low_again_begins_anew() -> None:
    p = dxa(dxa(dxa(mother(), AFTER, z="-2.4"), 400, z="-1.9"), 500, z="-2.0")
    assert held(p, "BMD-01") == [(AFTER + HOUR_8, 400 + HOUR_8), (500 + HOUR_8, END)]


def test_a_plan_closes_the_alert_and_not_the_finding() -> None:
    p = answered(dxa(mother(), AFTER, z="-2.4"), "BMD-01", "plan", 310)
    assert held(p, "BMD-01") == [(AFTER + HOUR_8, END)]
    assert stood(p, "BMD-01") == [(AFTER + HOUR_8, 310 + HOUR_8)]


def test_a_corrected_z_score_never_was_low() -> None:
    p = dxa(dxa(mother(), AFTER, z="-2.4", record="a"), AFTER, z="-1.4", record="a", recorded=310)
    assert held(p, "BMD-01") == []


# ---- BMD-02


def test_a_t_score_alone_is_found_until_the_next_z_score() -> None:
    p = dxa(mother(), AFTER, t="-2.6")
    assert held(p, "BMD-02") == [(AFTER + HOUR_8, END)]
    assert held(dxa(p, 350, z="-1.0", site="other"), "BMD-02") == [(AFTER + HOUR_8, END)]
    assert held(dxa(p, 360, z="-1.0", site="total_hip"), "BMD-02") == [(AFTER + HOUR_8, 360 + HOUR_8)]


def test_a_z_score_of_the_same_scan_supplies_it() -> None:
    p = dxa(dxa(mother(), AFTER, t="-2.6"), AFTER, z="-1.8")
    assert held(p, "BMD-02") == []


def test_a_version_that_carries_the_z_score_replaces_what_never_was() -> None:
    p = dxa(dxa(mother(), AFTER, t="-2.6", record="a"), AFTER, t="-2.6", z="-2.2", record="a", recorded=305)
    assert held(p, "BMD-02") == []


def osteoporosis(p: Patient, at: float, *concepts: str, status: str = "active") -> Patient:
    """A coded osteoporosis."""
    coded = Diagnosis(status, concepts or ("osteoporosis",), "64859006", onset_at=on(at))
    return p.say(coded, recorded_at=on(at))


def test_osteoporosis_coded_from_a_t_score_is_found() -> None:
    p = osteoporosis(dxa(mother(), -30, t="-2.6"), AFTER)
    assert held(p, "BMD-02") == [(AFTER + HOUR_8, END)]


@pytest.mark.parametrize(
    ("z", "concepts", "status"),
    [
        ("-2.2", ("osteoporosis",), "active"),
        (None, ("osteoporosis", "vertebral_fracture"), "active"),
        (None, ("osteomalacia",), "active"),
        (None, ("osteoporosis",), "refuted"),
    ],
)
def test_a_z_score_a_fracture_or_another_code_is_no_such_statement(
    z: str | None, concepts: tuple[str, ...], status: str
) -> None:
    p = osteoporosis(dxa(mother(), -30, t="-2.6", z=z), AFTER, *concepts, status=status)
    assert held(p, "BMD-02") == []


def test_osteoporosis_coded_without_any_density_is_not_stated_from_a_t_score() -> None:
    assert held(osteoporosis(mother(), AFTER), "BMD-02") == []


def test_menopause_excuses_a_t_score() -> None:
    p = mother().say(Risk("active", "menopause", present=True, observed_at=on(200)), recorded_at=on(200))
    assert held(dxa(p, AFTER, t="-2.6"), "BMD-02") == []


def test_feeding_prolongs_the_episode_in_which_it_is_found() -> None:
    p = dxa(fed(mother(), "exclusive", 271), AFTER, z="-2.4")
    assert held(p, "BMD-01") == [(AFTER + HOUR_8, 271 + 730)]
