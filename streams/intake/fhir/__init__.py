"""FHIR R4 to events: one resource, or a Bundle of any type."""

from streams.intake.fhir.bundle import LARGEST_BUNDLE, READ, translate_fhir, translate_fhir_bytes
from streams.intake.fhir.naming import record_name

__all__ = ["LARGEST_BUNDLE", "READ", "record_name", "translate_fhir", "translate_fhir_bytes"]
