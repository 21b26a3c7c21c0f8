"""Why a part of a message gives no event; it becomes a Refusal and never leaves the package."""


class UntranslatableError(Exception):
    """One part of a message that cannot be translated.

    `reason` says what would be accepted and quotes nothing of the patient; `where` is segment[n]-field.
    """

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where
