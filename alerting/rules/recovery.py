"""Recovery of bone density a year after weaning.

Source: docs/intervals.md LAC-04: spontaneous recovery is expected during the 12 months after weaning.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules.density import gain, low_z, scans, site_words, z_evidence
from alerting.rules.feeding import reported_weaning
from alerting.rules.fractures import FRACTURES, HIP_02, SPN_02, of_episode
from schemas.definitions import Reader
from schemas.facts import Density, Fact
from schemas.intervals import Evidence, Interval, Intervals
from schemas.views import PREGNANCIES, Pregnancy, winners

_DENSITY = winners("bone_density")
_Scan = tuple[Fact, Density]
_Found = tuple[str, tuple[Evidence, ...]]
"""Why recovery is not documented, and what shows it."""
_Began = tuple[datetime, date, _Found]
"""When, how long after which weaning, and why."""


def _lac_04(chart: Reader, judge: Judge) -> Intervals:
    known = chart[PREGNANCIES].episodes
    if not known:
        judge.out_of_scope("not in a pregnancy episode")
    weanings = [(p, _weaned(chart, p)) for p in known]
    if known and not any(weaned for _, weaned in weanings):
        judge.out_of_scope("no weaning reported")
    return tuple(i for p, weaned in weanings if weaned for i in _undocumented(chart, judge, p, weaned))


def _weaned(chart: Reader, p: Pregnancy) -> date | None:
    return reported_weaning(chart[PREGNANCIES], p, chart.calendar.day(p.ended))


def _undocumented(chart: Reader, judge: Judge, p: Pregnancy, weaned: date) -> Iterator[Interval]:
    """Judged a year after weaning, and at each DXA and fracture from then on."""
    due = chart.calendar.midnight(weaned, judge.days("after_weaning"))
    all_scans = [f.payload.performed_at for f in chart[_DENSITY] if isinstance(f.payload, Density)]
    fractures = of_episode(chart, p)
    began: _Began | None = None
    for at in sorted({due, *(a for a in (*all_scans, *fractures) if due < a < p.ended)}):
        if at >= p.ended:
            break
        judge.looks_at(chart.calendar.day(at))
        unseen = _fracture_unseen([f for f in fractures if f <= at], [s for s in all_scans if s <= at])
        found = _state(chart, judge, p, at, unseen=unseen)
        if found is not None and began is None:
            began = (at, weaned, found)
        elif found is None and began is not None and at in all_scans:
            yield _interval(judge, p, began, at)
            began = None
    if began is not None:
        yield _interval(judge, p, began, p.ended)


def _interval(judge: Judge, p: Pregnancy, began: _Began, ended: datetime) -> Interval:
    at, day, (why, shown) = began
    weaned = Evidence("weaning", value=day.isoformat())
    details = (("days", judge.days("after_weaning")), ("weaned", weaned.value), ("why", why))
    return Interval(at, ended, episode=p.episode, evidence=(weaned, *shown), details=details)


def _fracture_unseen(fractures: Sequence[datetime], all_scans: Sequence[datetime]) -> bool:
    return bool(fractures) and not any(scan > fractures[-1] for scan in all_scans)


def _state(chart: Reader, judge: Judge, p: Pregnancy, at: datetime, *, unseen: bool) -> _Found | None:
    """Why recovery is not documented at an instant; None: it is, or there is nothing to judge."""
    found = [one for one in scans(chart[_DENSITY]) if one[1].performed_at <= at]
    low = low_z(judge, found)
    after = gain(one for one in found if p.puerperium and chart.calendar.day(one[1].performed_at) >= p.puerperium)
    little = judge.below("gain", after[1]) if after else False
    judge.condition("a fracture of the episode and no DXA after it", met=unseen)
    if low is not None:
        return f"the latest Z-score of the {site_words(low[1].site)} is {low[1].z_score}", (z_evidence(*low),)
    if after and little:
        percent = (after[1] - 1) * 100
        return f"density of the {site_words(after[0])} changed by {percent:+.1f} % since delivery", _shown(
            found, after[0]
        )
    return ("no DXA after a fracture", ()) if unseen else None


def _shown(found: Sequence[_Scan], site: str) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            f"density {site_words(site)}",
            f.record_id,
            f.event_id,
            f.source,
            float(dxa.density),
            "g/cm2",
            dxa.performed_at,
        )
        for f, dxa in found
        if dxa.site == site and dxa.density is not None
    )


def _asks(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    p = chart[PREGNANCIES].at(interval.began)
    if p is None or p.puerperium is None:
        return
    delivered = chart.calendar.midnight(p.puerperium)
    after = [one for one in scans(chart[_DENSITY]) if delivered <= one[1].performed_at <= now]
    if not after:
        yield "no DXA after delivery"
    elif gain(after) is None and len({dxa.performed_at for _, dxa in after if dxa.density is not None}) > 1:
        yield "the sites of the DXA after delivery differ"


RULES = (Rule("LAC-04", (PREGNANCIES, _DENSITY, FRACTURES, SPN_02, HIP_02), _lac_04, _asks),)
