"""Messages as HL7 v2.5.1, with every time in UTC.

What HL7 v2 cannot say, or has no message for that is read, is left out: NOT_CARRIED. A birth is one of them, so that a
pregnancy told by HL7 v2 alone runs to its longest duration.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from streams.simulate import codes
from streams.simulate.messages import Message, Said
from streams.simulate.native import FACILITY
from streams.simulate.people import Person

NOT_CARRIED: Final[Mapping[str, frozenset[str] | None]] = {
    "risk_factor": None,
    "procedure": None,
    "pregnancy": frozenset({"outcome", "ended_on"}),
    "symptom": frozenset({"sudden", "injury", "weight_bearing", "gait"}),
    "imaging": frozenset({"levels", "count", "side", "age"}),
    "dispense": frozenset({"days_supply"}),
    "condition": frozenset({"side"}),
}
"""By kind the fields that are left out; None: the kind itself."""
_SYSTEMS: Final = {codes.LOINC: "LN", codes.SNOMED: "SCT", codes.RXNORM: "RXNORM"}
_SEX: Final = {"female": "F", "male": "M"}
_STATUS: Final = {"final": "F", "corrected": "C", "preliminary": "P", "cancelled": "X", "entered_in_error": "W"}
_FREQUENCY: Final = {1: "QD", 2: "BID", 3: "TID", 4: "QID"}
_CONTROL: Final = {"on_hold": "HD", "stopped": "DC"}
_VISITS: Final = frozenset({"ADT^A01", "ADT^A02", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A31"})


def text(message: Message) -> bytes:
    """One message, its segments ended by carriage returns; empty where HL7 v2 has no message for it."""
    if not message.type:
        return b""
    segments = _segments(message)
    return ("\r".join((_header(message), *segments)) + "\r\n").encode()


def _header(message: Message) -> str:
    return (
        rf"MSH|^~\&|{message.sender}|{FACILITY}|TRABECULA|{FACILITY}|{_time(message.at)}||{message.type}"
        f"|{message.control}|P|2.5.1||||||UNICODE UTF-8"
    )


def _time(at: datetime) -> str:
    return f"{at.year}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}+0000"


def _day(day: str) -> str:
    return day.replace("-", "")


def _coded(given: Mapping[str, str]) -> str:
    return f"{given['code']}^{given['display']}^{_SYSTEMS.get(given['system'], 'L')}"


def _segment(name: str, fields: Mapping[int, object]) -> str:
    """A segment by the numbers of its fields, in their order; None is an empty field."""
    parts, last = [name], 0
    for nth, value in fields.items():
        if value is not None:
            parts.append(f"{'|' * (nth - last)}{value}")
            last = nth
    return "".join(parts)


def _segments(message: Message) -> list[str]:
    if message.type in _VISITS:
        visit = [_visited(said) for said in message.said if said["kind"] != "patient"] or ["PV1|1|N"]
        return [f"EVN||{_time(message.at)}", _pid(message.person), *visit]
    if message.type in _LINKS:
        return _LINKS[message.type](message)
    body = [
        segment for nth, said in enumerate(message.said, 1) for segment in _BY_KIND[said["kind"]](message, said, nth)
    ]
    if message.type == "SIU^S12":
        return [body[0], _pid(message.person), *body[1:]]
    return [_pid(message.person), *body]


def _pid(person: Person) -> str:
    return f"PID|1||{person.number}^^^^MR||{person.family}^{person.given}||{_day(person.born)}|{_SEX[person.sex]}"


# ---- registration


def _visited(said: Said) -> str:
    """PV1 or DG1; who the patient is stands in PID."""
    if said["kind"] == "encounter":
        return _pv1(said)
    onset = _time(said["onset_at"])
    return _segment("DG1", {1: 1, 3: _coded(said["code"]), 5: onset, 6: "W", 20: said["record_id"]})


def _pv1(said: Said) -> str:
    ended = said.get("ends_at")
    return _segment(
        "PV1",
        {
            1: 1,
            2: "I",
            3: said["ward"],
            19: said["record_id"],
            44: _time(said["starts_at"]),
            45: _time(ended) if ended else None,
        },
    )


def _merged(message: Message) -> list[str]:
    survivor = message.person._replace(number=message.said[0]["into"])
    return [f"EVN||{_time(message.at)}", _pid(survivor), f"MRG|{message.person.number}^^^^MR"]


def _linked(message: Message) -> list[str]:
    survivor = message.person._replace(number=message.said[0]["into"])
    return [f"EVN||{_time(message.at)}", _pid(survivor), _pid(message.person)]


_LINKS: Final[Mapping[str, Callable[[Message], list[str]]]] = {
    "ADT^A40": _merged,
    "ADT^A24": _linked,
    "ADT^A37": _linked,
}


# ---- results


def _result(message: Message, said: Said, nth: int) -> list[str]:
    del message
    limits, fasting = said.get("reference_range"), said.get("fasting")
    collected = _time(said["collected_at"])
    obx = _segment(
        "OBX",
        {
            1: nth,
            2: "NM" if "value" in said else "ST",
            3: _coded(said["code"]),
            5: said.get("value", said.get("value_text")),
            6: said.get("unit"),
            7: f"{limits['low']}-{limits['high']}" if limits else None,
            11: _STATUS[said["status"]],
            14: collected,
            17: said.get("assay"),
            23: said["laboratory"],
        },
    )
    number = said["record_id"].rpartition(":")[0]
    return [*_request(nth, number, "LAB^Laboratory report^L", collected, fasting), obx]


def _request(nth: int, filler: str, service: str, at: str, fasting: bool | None = None) -> list[str]:  # noqa: FBT001
    """The order of a report, once before its first observation."""
    if nth > 1:
        return []
    answer = None if fasting is None else "F" if fasting else "NF"
    return [_segment("OBR", {1: 1, 3: filler, 4: service, 7: at, 13: answer})]


def _observation(
    nth: int,
    filler: str,
    at: datetime,
    coded: Mapping[str, str],
    value: tuple[str, object],
    *,
    unit: str | None = None,
    site: str | None = None,
) -> list[str]:
    when = _time(at)
    kind, said = value
    fields = {1: nth, 2: kind, 3: _coded(coded), 5: said, 6: unit, 11: "F", 14: when}
    obx = _segment("OBX", fields if site is None else {**fields, 20: site})
    return [*_request(nth, filler, "OBS^Observation^L", when), obx]


def _pregnancy(message: Message, said: Said, nth: int) -> list[str]:
    del message
    field = "last_menstrual_period" if "last_menstrual_period" in said else "estimated_due_date"
    coded = codes.LAST_PERIOD if field == "last_menstrual_period" else codes.DUE_DATE
    return _observation(nth, said["record_id"], said["observed_at"], coded, ("DT", _day(said[field])))


def _lactation(message: Message, said: Said, nth: int) -> list[str]:
    del message
    answer = codes.FEEDINGS.get(said["feeding"])
    value = _coded(answer) if answer else f"{said['feeding']}^{said['feeding']}^L"
    return _observation(nth, said["record_id"], said["observed_at"], codes.FEEDING, ("CWE", value))


def _measurement(message: Message, said: Said, nth: int) -> list[str]:
    del message
    coded = codes.MEASURES[said["measure"]]
    value = ("NM", said["value"])
    return _observation(nth, said["record_id"], said["observed_at"], coded, value, unit=said["unit"])


def _symptom(message: Message, said: Said, nth: int) -> list[str]:
    del message
    site = codes.SITES[said["symptom"]]
    place = f"{site['code']}^{said.get('side', '')} {site['display']}^SCT"
    return _observation(nth, said["record_id"], said["observed_at"], codes.PAIN, ("NM", said["score"]), site=place)


def _density(message: Message, said: Said, nth: int) -> list[str]:
    del message
    kind = "z_score" if "z_score" in said else "t_score"
    coded = (codes.Z_SCORES if kind == "z_score" else codes.T_SCORES)[said["site"]]
    number = said["record_id"].rpartition(":")[0]
    return _observation(nth, number, said["performed_at"], coded, ("NM", said[kind]))


# ---- orders and imaging


def _common(control: str, number: str, at: datetime, effective: datetime | None = None) -> str:
    return _segment("ORC", {1: control, 2: number, 9: _time(at), 15: _time(effective) if effective else None})


def _lab_order(message: Message, said: Said, nth: int) -> list[str]:
    del message
    number = said["record_id"].split(":")[1]
    return [_common("NW", number, said["ordered_at"]), f"OBR|{nth}|{number}||{_coded(said['code'])}"]


def _imaging(message: Message, said: Said, nth: int) -> list[str]:
    del message
    number = said["record_id"].partition(":")[2]
    study = _coded(codes.STUDIES[said["modality"], said["region"]])
    match said["status"]:
        case "ordered":
            return [_common("NW", number, said["ordered_at"]), f"OBR|{nth}|{number}||{study}"]
        case "booked":
            start = _time(said["scheduled_for"])
            return [
                _segment("SCH", {1: f"A{number}", 11: f"^^^{start}", 26: number}),
                "RGS|1",
                f"AIS|1|A|{study}|{start}",
            ]
        case _:
            performed = _time(said["performed_at"])
            found = "~".join(_coded(codes.finding(finding["finding"])) for finding in said["findings"])
            request = _segment("OBR", {1: 1, 2: number, 4: study, 7: performed})
            return [request, f"OBX|1|CWE|{study}||{found}||||||F|||{performed}"]


# ---- medication


def _prescription(message: Message, said: Said, nth: int) -> list[str]:
    del nth
    effective = said.get("effective_from")
    control = _CONTROL.get(said["status"]) or ("XO" if effective else "NW")
    dose = said["dose"]
    timing = _timing(said, _time(said["starts_at"]), said.get("ends_at"))
    encoded = _segment(
        "RXE",
        {
            2: _coded(said["drug"]),
            3: dose["value"],
            5: dose["unit"],
            27: f"^{said['indication']}" if "indication" in said else None,
        },
    )
    return [_common(control, said["record_id"], message.at, effective), *timing, encoded, f"RXR|{said['route']}"]


def _timing(said: Said, start: str = "", end: datetime | None = None) -> list[str]:
    pattern = _FREQUENCY.get(said.get("doses_per_day", 0), "")
    return [_segment("TQ1", {1: 1, 3: pattern, 7: start, 8: _time(end) if end else None})]


def _administration(message: Message, said: Said, nth: int) -> list[str]:
    del message
    dose = said.get("dose", {})
    given = _time(said["given_at"])
    rxa = _segment(
        "RXA",
        {
            1: 0,
            2: nth,
            3: given,
            4: given,
            5: _coded(said["drug"]),
            6: dose.get("value"),
            7: dose.get("unit"),
            20: "RE" if said["status"] == "not_done" else "CP",
            21: "D" if said["status"] == "entered_in_error" else "A",
        },
    )
    return [f"ORC|RE|{said['placer_order']}", rxa, f"RXR|{said['route']}"]


def _dispense(message: Message, said: Said, nth: int) -> list[str]:
    del message
    drug, dose, quantity = _coded(said["drug"]), said["dose"], said["quantity"]
    encoded = _segment("RXE", {2: drug, 3: dose["value"], 5: dose["unit"]})
    handed = _segment(
        "RXD",
        {
            1: nth,
            2: drug,
            3: _time(said["dispensed_at"]),
            4: quantity["value"],
            5: quantity["unit"],
            7: said["record_id"],
        },
    )
    return [f"ORC|RE|{said['placer_order']}", encoded, *_timing(said), handed, f"RXR|{said['route']}"]


_BY_KIND: Final[Mapping[str, Callable[[Message, Said, int], list[str]]]] = {
    "lab_result": _result,
    "pregnancy": _pregnancy,
    "lactation": _lactation,
    "measurement": _measurement,
    "symptom": _symptom,
    "bone_density": _density,
    "lab_order": _lab_order,
    "imaging": _imaging,
    "prescription": _prescription,
    "administration": _administration,
    "dispense": _dispense,
}
