"""An alert as its last notice has it."""

from schemas.alerts import Alert, Notice, Told


def alert_of(notice: Notice, told: Told) -> Alert:
    """An alert that began and ended before it was ever kept."""
    said = {name: getattr(notice, name) for name in Alert.model_fields if name != "state"}
    return Alert(state=told.state, **said)
