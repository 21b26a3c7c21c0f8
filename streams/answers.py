"""Which responses speak to which alert: by alert id, whatever the patient was called and however the episode was known.

Law: a response is a fact; it counts though its alert is not there yet, and it follows transfers.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.definitions import PATIENT_IDS, Definition, Reader, Records, records
from schemas.facts import Fact, Response
from schemas.identity import alert_id, episode_id
from schemas.views import ANSWERS, EPISODES, NO_EPISODE, Answer, Answers, Episodes

_RESPONSES = records("response")
_IDENTIFYING = (records("pregnancy"), records("drug/heparin_ufh"), records("drug/lmwh"))


def _answer(fact: Fact) -> Answer:
    said = fact.payload
    if not isinstance(said, Response):
        raise TypeError(f"{type(said).__name__} is no response")
    return Answer(fact.recorded_at, said.action, fact.event_id, said.reason, said.until, said.by)


def _former(episode: str, current: Episodes, found: Iterable[Records]) -> Iterator[str]:
    """The identities that an episode's alerts may have had before its records were known.

    Topic: heparin paged in week 6 belonged to the heparin episode until the pregnancy was recorded in week 12. Records
    that identify another pregnancy now are none of them; whether an answer is too early is judged by its time.
    """
    yield episode
    others = {p.episode for p in current.pregnancies} - {episode}
    for group in found:
        for record in group:
            identity = episode_id(*record.key)
            if identity not in others:
                yield identity
    yield NO_EPISODE


def answers_to(rule_ids: Iterable[str]) -> Definition[Answers]:
    """The definition of the answers to the alerts of these rules."""
    rules = tuple(rule_ids)

    def derive(chart: Reader) -> Answers:
        said = [r.winner for r in chart[_RESPONSES] if r.winner is not None]
        if not said:
            return Answers()
        current = chart[EPISODES]
        patients = chart[PATIENT_IDS]
        found = [chart[name] for name in _IDENTIFYING]
        named: dict[str, list[Answer]] = {}
        for fact in said:
            if isinstance(fact.payload, Response):
                named.setdefault(fact.payload.alert_id, []).append(_answer(fact))
        by_alert: dict[tuple[str, str], tuple[Answer, ...]] = {}
        episodes = {p.episode for p in current.pregnancies} | {h.episode for h in current.heparin} | {NO_EPISODE}
        for episode in sorted(episodes):
            former = tuple(dict.fromkeys(_former(episode, current, found)))
            for rule in rules:
                ids = {alert_id(patient, known, rule) for patient in patients for known in former}
                answers = [a for known in ids for a in named.get(known, ())]
                if answers:
                    by_alert[rule, episode] = tuple(sorted(answers, key=lambda a: (a.recorded_at, a.event_id)))
        return Answers(by_alert)

    reads: tuple[Any, ...] = (PATIENT_IDS, EPISODES, _RESPONSES, *_IDENTIFYING)
    return Definition(ANSWERS, reads, derive)
