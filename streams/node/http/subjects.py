"""Whom another system means by a FHIR reference or an identifier, and how a patient is named to it.

Law: a word that may mean two people means nobody: the alerts of one are never shown for the other.
"""

from collections.abc import Iterable
from typing import Final

from alerting.fhir_out import Subject
from streams.chart.chart import Chart
from streams.intake.fhir.identity import provisional
from streams.intake.fhir.references import address
from streams.intake.site import Site
from streams.node.http.problems import ProblemError
from streams.node.http.reads import Reads

_PROVISIONAL: Final = "fhir"
"""The authority of a Patient of whom only the address is known."""


def by_address(reads: Reads, reference: str, base: str) -> list[str]:
    """The identities of the Patient that a literal reference names; a relative one is of the server at `base`."""
    where = address(reference, base)
    if where is None or where.type != "Patient":
        return []
    known = reads.known_as(str(where))
    return [*([known] if known else []), provisional(str(where))]


def by_identifier(site: Site, system: str | None, value: str | None) -> list[str]:
    """The identity of an identifier whose system the site maps to an authority; without one it is a bare number."""
    if not value:
        return []
    if not system:
        return [value]
    return [site.name(value, site.fhir_authorities[system])] if system in site.fhir_authorities else []


def one_chart(reads: Reads, identities: Iterable[str], field: str) -> Chart | None:
    """The chart of whoever all of these are; None if nobody is.

    Errors: ProblemError 412 where they are two people.
    """
    found = {chart.patient_id: chart for each in identities if each and (chart := reads.chart(each)) is not None}
    if len(found) > 1:
        raise ProblemError(
            412,
            "this may mean two patients, so that nothing is shown",
            field=field,
            accepted="the address of a Patient, or an identifier with its system",
        )
    return next(iter(found.values()), None)


def subject_of(reads: Reads, site: Site, chart: Chart) -> Subject:
    """How a patient is named to others."""
    authority, bar, number = chart.patient_id.partition("|")
    if bar and authority == _PROVISIONAL:
        return Subject(number, address=number)
    assigner, value = (authority, number) if bar else (site.default_assigner, chart.patient_id)
    systems = sorted(system for system, known in site.fhir_authorities.items() if known == assigner)
    return Subject(value, systems[0] if systems else None, _address(reads.addresses(chart.patient_ids), site.fhir_base))


def _address(known: Iterable[str], base: str) -> str | None:
    """The one address there is; of several the one on the site's own server."""
    found = list(known)
    ours = [each for each in found if base and each.startswith(f"{base.rstrip('/')}/")]
    return found[0] if len(found) == 1 else ours[0] if len(ours) == 1 else None
