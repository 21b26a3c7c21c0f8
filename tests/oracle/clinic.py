"""One person's chart with all that the rules read of it, and the findings of each rule."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from .codes import PROCEDURES, condition_meanings
from .days import Pregnancy, first_after, pregnancies
from .facts import FOREVER, Calendar, Chart, Record, Version, instant, number
from .heparin import Episode, Heparin, episodes_of
from .labs import analyte_of, results

NO_FRACTURE: Final = frozenset({"normal", "no_fracture"})
FRACTURES: Final = frozenset(
    {
        "vertebral_fracture",
        "sacral_fracture",
        "pelvic_fracture",
        "rib_fracture",
        "femoral_neck_fracture",
        "other_fracture",
    }
)
RING: Final = frozenset({"vertebral_fracture", "sacral_fracture", "pelvic_fracture", "rib_fracture"})
WORK_UP: Final[tuple[frozenset[str], ...]] = (
    frozenset({"25OHD", "25OHD3"}),
    frozenset({"Ca_total", "Ca_adjusted", "Ca_ionised"}),
    frozenset({"Phosphate"}),
    frozenset({"Creatinine"}),
    frozenset({"ALP_total", "BALP"}),
    frozenset({"PTH"}),
    frozenset({"TSH"}),
    frozenset({"SPEP", "M_protein"}),
    frozenset({"CBC", "Hemoglobin"}),
)


@dataclass(frozen=True)
class Finding:
    """One interval in which a rule holds in an episode (None: a calendar-free episode)."""

    episode: Episode | None
    began: datetime
    ended: datetime
    steps: tuple[tuple[datetime, str], ...]

    def holds(self, when: datetime) -> bool:
        return self.began <= when < self.ended

    def until(self, ended: datetime) -> "Finding":
        return Finding(self.episode, self.began, min(self.ended, ended), self.steps)

    def severity(self, when: datetime) -> str:
        return [severity for began, severity in self.steps if began <= when][-1]


@dataclass(frozen=True)
class Response:
    """What a clinician answered, with the instant at which it was recorded."""

    alert_id: str
    action: str
    recorded: datetime
    event_id: str
    until: datetime | None
    reason: str | None


@dataclass(frozen=True)
class Report:
    """One report of pain."""

    when: datetime
    version: Version
    symptom: str

    @property
    def score(self) -> Any:
        given = self.version.get("score")
        return None if given is None else number(given)

    def scores(self, least: int) -> bool:
        return self.score is not None and self.score >= least

    def below(self, limit: int) -> bool:
        return self.score is not None and self.score < limit


@dataclass(frozen=True)
class Image:
    """One imaging study that is final."""

    when: datetime
    version: Version
    record: Record

    @property
    def modality(self) -> str:
        return str(self.version.get("modality"))

    @property
    def region(self) -> str:
        return str(self.version.get("region"))

    def found(self, *findings: str, old: bool = False) -> bool:
        """Whether one of the findings is there, not as an old one (`old`: as an old one)."""
        return any(
            f["finding"] in findings and (f.get("age") == "old") == old for f in self.version.get("findings") or ()
        )


@dataclass(frozen=True)
class Diagnosis:
    """One coded condition that was not refuted."""

    when: datetime
    meanings: frozenset[str]
    version: Version


def holding(episode: Episode | None, began: datetime, ended: datetime, severity: str) -> Finding:
    return Finding(episode, began, ended, ((began, severity),))


@dataclass
class Clinic:
    """A chart and everything derived from it, computed once."""

    chart: Chart
    rules: Mapping[str, Callable[["Clinic"], list[Finding]]]
    answered: Callable[["Clinic", str, Finding], list[Response]]
    known: dict[str, list[Finding]] = field(default_factory=dict)

    def findings(self, rule: str) -> list[Finding]:
        """The intervals of one rule, responses to it left out."""
        if rule not in self.known:
            self.known[rule] = [f for f in self.rules[rule](self) if f.began < f.ended]
        return self.known[rule]

    def held(self, rule: str, when: datetime) -> bool:
        return any(f.holds(when) for f in self.findings(rule))

    @property
    def calendar(self) -> Calendar:
        return self.chart.calendar

    @cached_property
    def pregnancies(self) -> list[Pregnancy]:
        return pregnancies(self.chart)

    @cached_property
    def heparin(self) -> Heparin:
        return episodes_of(self.chart, self.pregnancies)

    @property
    def episodes(self) -> list[Episode]:
        return self.heparin.episodes

    @cached_property
    def pregnancy_episodes(self) -> list[tuple[Episode, Pregnancy]]:
        return [(e, e.pregnancy) for e in self.episodes if e.pregnancy is not None]

    def episode_at(self, when: datetime) -> Episode | None:
        return next((e for e in self.episodes if e.within(when)), None)

    @cached_property
    def reports(self) -> list[Report]:
        found = [Report(instant(v.get("observed_at")), v, v.get("symptom")) for _, v in self.chart.facts("symptom")]
        return sorted(found, key=lambda r: (r.when, r.version.order))

    @property
    def back_pain(self) -> list[Report]:
        return [r for r in self.reports if r.symptom == "back_pain"]

    @property
    def hip_pain(self) -> list[Report]:
        return [r for r in self.reports if r.symptom in {"hip_pain", "groin_pain"}]

    @cached_property
    def images(self) -> list[Image]:
        """Final studies, in time."""
        found = [
            Image(instant(v.get("performed_at")), v, r)
            for r, v in self.chart.facts("imaging")
            if v.status == "final" and v.get("performed_at") is not None
        ]
        return sorted(found, key=lambda i: (i.when, i.record.key))

    def spine_images(self, *modalities: str) -> list[Image]:
        return [i for i in self.images if i.region == "spine" and i.modality in modalities]

    def hip_mris(self) -> list[Image]:
        return [i for i in self.images if i.region in {"hip", "pelvis"} and i.modality == "MRI"]

    @cached_property
    def diagnoses(self) -> list[Diagnosis]:
        """Conditions that are or were, in time; without an onset they date from their first record."""
        found = []
        for record, version in self.chart.facts("condition"):
            meanings = condition_meanings(version.get("code"))
            if meanings and version.status in {"active", "resolved"}:
                found.append(Diagnosis(version.at("onset_at") or record.first_recorded, frozenset(meanings), version))
        return sorted(found, key=lambda d: (d.when, d.version.order))

    def coded(self, *meanings: str) -> list[Diagnosis]:
        return [d for d in self.diagnoses if d.meanings & set(meanings)]

    def new_fractures(self, *meanings: str) -> list[Diagnosis]:
        """Codes of a fracture, not of the follow-up of an earlier one."""
        return [d for d in self.coded(*meanings) if "earlier" not in d.meanings]

    def procedures(self, *names: str) -> list[datetime]:
        return sorted(
            instant(v.get("performed_at"))
            for _, v in self.chart.facts("procedure")
            if v.status == "completed" and PROCEDURES.get(v.get("code")["code"]) in names
        )

    def factor(self, name: str) -> list[tuple[datetime, bool]]:
        """When a risk factor was said to be there or not."""
        said = [
            (instant(v.get("observed_at")), v.order, bool(v.get("present")))
            for _, v in self.chart.facts("risk_factor")
            if v.get("factor") == name
        ]
        return [(when, present) for when, _, present in sorted(said)]

    def has_factor(self, name: str, when: datetime) -> bool:
        said = [present for at, present in self.factor(name) if at <= when]
        return bool(said) and said[-1]

    def densities(self) -> list[tuple[datetime, Version]]:
        found = [(instant(v.get("performed_at")), v) for _, v in self.chart.facts("bone_density")]
        return sorted(found, key=lambda d: (d[0], d[1].order))

    def workup_complete(self, anchor: datetime) -> datetime:
        """When the last of the nine tests of the work-up of a fracture or a low bone density was resulted."""
        due = self.calendar.after(anchor, 14)
        return max(self.resulted(analytes, due) for analytes in WORK_UP)

    def resulted(self, analytes: frozenset[str], due: datetime) -> datetime:
        """When a test of the 180 days before, or of later, was first final; SPEP whenever it was."""
        recorded = [FOREVER]
        for record, version in results(self.chart, *analytes):
            final = record.first_final()
            recent = self.calendar.apart(instant(version.get("collected_at")), due) <= 180
            if final is not None and (recent or "SPEP" in analytes):
                recorded.append(final)
        return min(recorded)

    def active_order(self, analytes: frozenset[str], by: datetime) -> datetime | None:
        """When the latest order of a test was placed that was active and less than 7 days old, as known by then."""
        placed = []
        for record in self.chart.records:
            versions = [v for v in record.versions if v.recorded <= by]
            if not versions or versions[-1].event["kind"] != "lab_order" or versions[-1].status != "active":
                continue
            ordered = instant(versions[-1].get("ordered_at"))
            if analyte_of(versions[-1]) in analytes and 0 <= self.calendar.apart(ordered, by) < 7:
                placed.append(ordered)
        return max(placed, default=None)

    def answers(self, rule: str, finding: Finding, *actions: str) -> datetime:
        """When a response first ended the alert of an interval; a later `reopen` takes that back."""
        counting = [r for r in self.answered(self, rule, finding) if r.recorded >= finding.began]
        reopened = max((r.recorded for r in counting if r.action == "reopen"), default=finding.began)
        return first_after((r.recorded for r in counting if r.action in actions), reopened, including=True)


def resolution(reports: Iterable[Report], calendar: Calendar, after: datetime, *, bearing: bool) -> datetime:
    """When two reports of 3/10 or less, 14 days apart and none worse between, say that pain is over."""
    calm: list[Report] = []
    for report in reports:
        if report.when <= after or report.score is None:
            if report.when > after and bearing and _limps(report):
                calm = []
            continue
        if report.score > 3 or (bearing and _limps(report)):
            calm = []
        elif not bearing or report.version.get("weight_bearing") == "full":
            if any(calendar.apart(former.when, report.when) >= 14 for former in calm):
                return report.when
            calm.append(report)
    return FOREVER


def _limps(report: Report) -> bool:
    return report.version.get("weight_bearing") in {"limited", "unable"}
