"""Heparins, bone drugs, steroids and supplements."""

from datetime import timedelta
from typing import Final

from tests.oracle.codes import ATC, HEPARIN_FLUSH, LOINC, RXNORM

from .diagnoses import factor
from .orders import dose_given, order, supply
from .story import Event, Story

UFH: Final = {"system": RXNORM, "code": "5224", "display": "heparin"}
LMWH: Final = (
    ({"system": RXNORM, "code": "67108", "display": "enoxaparin"}, ((40, "mg", 1), (60, "mg", 2), (4000, "[IU]", 1))),
    ({"system": ATC, "code": "B01AB04"}, ((5000, "[IU]", 1), (5000, "[IU]", 2), (100, "[IU]/kg", 2))),
    ({"system": RXNORM, "code": "69646"}, ((4500, "[IU]", 1), (175, "[IU]/kg", 1))),
)
UFH_DOSES: Final = ((5000, 2), (7500, 2), (10000, 2), (12500, 2), (5000, 3), (2500, 1), (15000, 2))
BONE: Final = (
    (RXNORM, "73056", 35, "mg"),
    (RXNORM, "46041", 70, "mg"),
    (RXNORM, "77655", 5, "mg"),
    (RXNORM, "993449", 60, "mg"),
    (RXNORM, "32915", 20, "ug"),
    (ATC, "M05BX03", 2, "g"),
)
STEROIDS: Final = (
    (RXNORM, "8640", (2, 2.5, 5, 10)),
    (RXNORM, "8638", (5, 7.5)),
    (RXNORM, "1514", (12,)),
    (RXNORM, "5492", (20, 10)),
)


def ufh(story: Story) -> None:
    rng = story.rng
    value, times = rng.choice(UFH_DOSES)
    unit = rng.choice(("[IU]", "[IU]", "[USP'U]", "U"))
    order(story, UFH, story.some_day(-160, 240), {"value": value, "unit": unit}, times=times)


def ufh_after(story: Story) -> None:
    value, times = story.rng.choice(UFH_DOSES)
    order(story, UFH, story.some_day(280, 560), {"value": value, "unit": "[IU]"}, times=times)


def lmwh(story: Story) -> None:
    drug, doses = story.rng.choice(LMWH)
    value, unit, times = story.rng.choice(doses)
    order(story, drug, story.some_day(-90, 240), {"value": value, "unit": unit}, times=times)


def odd_heparin(story: Story) -> None:
    """A flush, an infusion, a dose that is unclear, one as needed."""
    rng = story.rng
    when = story.moment(story.some_day(-20, 330))
    record = story.record("odd")
    shape = rng.random()
    if shape < 0.2:
        dose = {"value": 300, "unit": "[IU]"}
        drug = rng.choice((UFH, {"system": RXNORM, "code": HEPARIN_FLUSH}))
        story.say(
            "administration", record, when, status="completed", drug=drug, dose=dose, given_at=when, route="line flush"
        )
    elif shape < 0.5:
        rate = {"value": rng.choice((800, 1000, 1250)), "unit": "[IU]/h"}
        ends = when + timedelta(hours=rng.choice((6, 30, 70)))
        story.say(
            "administration",
            record,
            when,
            status="completed",
            drug=UFH,
            rate=rate,
            given_at=when,
            ends_at=ends,
            route="IV",
        )
    elif shape < 0.8:
        odd: tuple[Event, ...] = ({"value": 5000}, {"value": 50, "unit": "mg"}, {"value": 90_000, "unit": "[IU]"})
        dose = rng.choice(odd)
        story.say("administration", record, when, status="completed", drug=UFH, dose=dose, given_at=when)
        if rng.random() < 0.6:
            dose = {"value": 5000, "unit": "[IU]"}
            later = when + timedelta(days=rng.randint(1, 60))
            story.say("administration", record, later, status="completed", drug=UFH, dose=dose, given_at=when)
    else:
        dose = {"value": 5000, "unit": "[IU]"}
        story.say(
            "prescription",
            record,
            when,
            recorded=when,
            status="active",
            drug=UFH,
            dose=dose,
            doses_per_day=2,
            starts_at=when,
            as_needed=True,
        )


def fondaparinux(story: Story) -> None:
    drug = {"system": RXNORM, "code": "321208"}
    dose = {"value": story.rng.choice((2.5, 7.5)), "unit": "mg"}
    order(story, drug, story.some_day(20, 290), dose, times=1)


def bone_drug(story: Story) -> None:
    """A bone drug ordered, given or dispensed, with or without a test and contraception."""
    rng = story.rng
    system, code, value, unit = rng.choice(BONE)
    drug, dose = {"system": system, "code": code}, {"value": value, "unit": unit}
    day = story.some_day(-190, 620)
    if rng.random() < 0.65:
        order(story, drug, day, dose, times=1, route="PO")
    elif rng.random() < 0.5:
        dose_given(story, story.moment(day), drug, dose)
    else:
        supply(story, story.moment(day), drug, dose, doses_per_day=1, days_supply=28)
    if rng.random() < 0.5:
        when = story.moment(day + timedelta(days=rng.randint(-15, 20)))
        test = {"system": LOINC, "code": rng.choice(("2106-3", "2118-8"))}
        text: Event = {"code": test, "value_text": rng.choice(("negative", "positive")), "collected_at": when}
        story.say("lab_result", story.record("hcg"), when, status="final", **text)
        factor(story, "contraception", day + timedelta(days=rng.randint(-20, 30)))


def steroid(story: Story) -> None:
    system, code, doses = story.rng.choice(STEROIDS)
    dose = {"value": story.rng.choice(doses), "unit": "mg"}
    route = story.rng.choice(("PO", "PO", "IM", None, "topical", "inhaled"))
    order(story, {"system": system, "code": code}, story.some_day(-150, 400), dose, times=1, route=route)


def supplement(story: Story) -> None:
    code, value, unit = story.rng.choice((("2418", 1000, "[IU]"), ("10582", 100, "ug"), ("11289", 5, "mg")))
    drug = {"system": RXNORM, "code": code}
    order(story, drug, story.some_day(-120, 350), {"value": value, "unit": unit}, times=1, route="PO")
