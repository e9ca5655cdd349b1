"""Refusals a person can act on."""


class DomainError(Exception):
    """A command refused. Its text is shown to people: say what is wrong and what to do next, never PHI.

    Subclass per refusal (`NotApproved`); the class name is the API's error code in snake_case.
    """

    status = 409

    @property
    def code(self) -> str:
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
