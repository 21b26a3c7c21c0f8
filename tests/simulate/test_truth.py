"""The truth agrees with what an independent reading of the emitted events gives."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from streams.simulate.heparin import Given
from streams.simulate.options import Imperfections, Options
from streams.simulate.truth import crossings
from tests.simulate.hospital import ILL, Run, of_kind, simulated

OPTIONS = Options(patients=120, days=150, run_in=400, enrich=ILL)
IU = {"[IU]": 1, "mg": 100}
HEPARINS = {"5224": "heparin", "67108": "enoxaparin", "67109": "dalteparin"}
Amounts = dict[tuple[str, str, date], float]


def run() -> Run:
    return simulated(OPTIONS)


def amount(event: dict[str, Any]) -> float:
    return float(event["dose"]["value"] * IU[event["dose"]["unit"]])


def drug(event: dict[str, Any]) -> str | None:
    return HEPARINS.get(event["drug"]["code"])


def by_administrations(said: list[dict[str, Any]]) -> Amounts:
    """IU by patient, drug and day, as the doses were charted."""
    found: Amounts = defaultdict(float)
    for event in of_kind(said, "administration"):
        if event["status"] == "completed":
            found[event["patient_id"], drug(event) or "", event["given_at"].date()] += amount(event)
    return dict(found)


def by_orders(said: list[dict[str, Any]], until: date) -> Amounts:
    """IU by patient, drug and day, as the versions of each order say."""
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in of_kind(said, "prescription"):
        if drug(event):
            versions[event["record_id"]].append(event)
    found: Amounts = {}
    for order in versions.values():
        for version, following in zip(order, [*order[1:], None], strict=True):
            if version["status"] == "active":
                for day in days_of(version, following, until):
                    found[version["patient_id"], drug(version) or "", day] = amount(version) * version["doses_per_day"]
    return found


def days_of(version: dict[str, Any], following: dict[str, Any] | None, until: date) -> list[date]:
    """The days from a version to the next: a change in the morning is of its own day, a stop in the evening too."""
    first: date = version.get("effective_from", version["starts_at"]).date()
    last = until - timedelta(days=1)
    if following is not None:
        at: datetime = following["effective_from"]
        last = at.date() - timedelta(days=at.hour < 12)
    return [first + timedelta(days=nth) for nth in range((last - first).days + 1)]


def true_amounts() -> Amounts:
    return {
        (row["patient_id"], row["drug"], date.fromisoformat(day)): iu
        for row in run().rows("exposure")
        for day, iu, _ in row["days"]
    }


def charted() -> set[str]:
    return {event["patient_id"] for event in of_kind(run().said, "administration")}


def test_exposure_is_what_the_charted_doses_add_up_to() -> None:
    found = by_administrations(run().said)
    true = {key: iu for key, iu in true_amounts().items() if key[0] in charted()}
    assert len(true) > 500
    assert found == true


def test_exposure_without_a_chart_is_what_the_orders_say() -> None:
    end = OPTIONS.start + timedelta(days=OPTIONS.days)
    found = {key: iu for key, iu in by_orders(run().said, end).items() if key[0] not in charted()}
    true = {key: iu for key, iu in true_amounts().items() if key[0] not in charted()}
    assert len(true) > 500
    assert found == true


def test_the_49th_day_at_15000_iu_is_counted_from_the_doses_themselves() -> None:
    """Courses that never are below 15,000 IU a day cross on their 49th charted day, whatever was missed before."""
    doses = by_administrations(run().said)
    true = {row["patient_id"]: row["on"] for row in run().rows("holds") if row["rule"] == "HEP-02"}
    checked = 0
    for patient in charted():
        days = sorted((day, iu) for (who, name, day), iu in doses.items() if who == patient and name == "heparin")
        if days and min(iu for _, iu in days) >= 15_000:
            checked += 1
            assert true.get(patient) == (days[48][0].isoformat() if len(days) >= 49 else None)
    assert checked >= 1


def test_a_missed_dose_is_said_and_no_exposure() -> None:
    refused = [e for e in of_kind(run().said, "administration") if e["status"] == "not_done"]
    assert refused
    assert all("dose" not in event for event in refused)


def told(kind: str, **wanted: object) -> dict[str, list[dict[str, Any]]]:
    """The events of a kind with some fields as wanted, by patient."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in of_kind(run().said, kind):
        if all(event.get(name) == value for name, value in wanted.items()):
            found[event["patient_id"]].append(event)
    return found


def test_every_delivery_and_weaning_is_told_on_its_day() -> None:
    born = {who: events[0]["ended_on"] for who, events in told("pregnancy", status="delivered").items()}
    weaned = {who: max(e["since"] for e in events) for who, events in told("lactation", feeding="none").items()}
    for row in run().rows("course"):
        assert born.get(row["patient_id"]) == row.get("delivered")
        if "weaned" in row:
            assert weaned.get(row["patient_id"]) == row["weaned"]


def test_every_fracture_that_was_imaged_is_reported_and_no_other() -> None:
    reports = told("imaging", status="final", modality="MRI", region="spine")
    fractured = {
        who: min(e["performed_at"].date().isoformat() for e in events if e["findings"][0]["finding"] != "normal")
        for who, events in reports.items()
        if any(e["findings"][0]["finding"] == "vertebral_fracture" for e in events)
    }
    outcomes = {
        row["patient_id"]: row for row in run().rows("outcome") if row["outcome"] in ("plo", "heparin_fracture")
    }
    assert {who: row["imaged"] for who, row in outcomes.items() if "imaged" in row} == fractured
    assert len(fractured) >= 3


def test_pain_follows_the_disease_and_imaging_the_pain() -> None:
    for row in run().rows("outcome"):
        assert row["began"] <= row.get("pain", row["began"])
        assert row.get("pain", "") <= row.get("imaged", "9999")


def test_low_vitamin_d_is_true_on_the_day_of_its_sample() -> None:
    low: dict[str, str] = {}
    for event in of_kind(run().said, "lab_result"):
        if event["code"]["code"] == "62292-8" and event["value"] < 20:
            low.setdefault(event["patient_id"], event["collected_at"].date().isoformat())
    assert {r["patient_id"]: r["on"] for r in run().rows("holds") if r["rule"] == "VIT-01"} == low


def test_nothing_is_true_after_the_last_day() -> None:
    end = (OPTIONS.start + timedelta(days=OPTIONS.days)).isoformat()
    for row in run().truth:
        days = [row.get("on"), row.get("began"), *(day for day, *_ in row.get("days", ()))]
        assert all(day < end for day in days if day)


def course(*spans: tuple[int, float]) -> list[Given]:
    """Days of unfractionated heparin: (how many, IU a day) one after the other."""
    amounts = [iu for count, iu in spans for _ in range(count)]
    return [Given(day, "ufh", "heparin", iu, iu, 2) for day, iu in enumerate(amounts, 1)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(27, 10_000)], {}),
        ([(28, 4_999)], {}),
        ([(28, 5_000)], {"HEP-01": 28}),
        ([(48, 20_000)], {"HEP-01": 28}),
        ([(49, 14_999)], {"HEP-01": 28}),
        ([(49, 15_000)], {"HEP-01": 28, "HEP-02": 49}),
        ([(40, 10_000), (28, 15_000)], {"HEP-01": 28, "HEP-02": 68}),  # by the last 28 days
        ([(84, 10_000)], {"HEP-01": 28, "HEP-03": 84}),
        ([(119, 20_000)], {"HEP-01": 28, "HEP-02": 49, "HEP-03": 84, "HEP-04": 119}),
        ([(179, 15_000)], {"HEP-01": 28, "HEP-02": 49, "HEP-03": 84}),
        ([(180, 15_000)], {"HEP-01": 28, "HEP-02": 49, "HEP-03": 84, "HEP-04": 180}),
    ],
)
def test_published_limits_are_met_on_their_day(spans: list[tuple[int, float]], expected: dict[str, int]) -> None:
    assert {rule: day for rule, day, _ in crossings(course(*spans))} == expected


def test_imperfections_do_not_change_what_is_true() -> None:
    wrong = Imperfections(0.1, 0.1, 0.1, 0.1)
    imperfect = simulated(Options(patients=30, days=100, run_in=300, imperfections=wrong))
    perfect = simulated(Options(patients=30, days=100, run_in=300))
    assert imperfect.truth == perfect.truth
