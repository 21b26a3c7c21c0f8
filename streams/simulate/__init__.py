"""A synthetic obstetric and general population with known truth, as events, HL7 v2 or FHIR.

The truth comes from the simulated course: nothing here knows a rule. Figures and their sources: parameters.toml.
"""
