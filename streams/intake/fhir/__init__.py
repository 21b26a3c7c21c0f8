"""FHIR R4 to events: one resource, or a Bundle of any type."""

from streams.intake.fhir.bundle import LARGEST_BUNDLE, translate_fhir, translate_fhir_bytes
from streams.intake.fhir.naming import record_name

__all__ = ["LARGEST_BUNDLE", "record_name", "translate_fhir", "translate_fhir_bytes"]
