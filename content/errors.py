from core.errors import DomainError


class TemplateHasErrors(DomainError):
    """The lint found errors; nothing is frozen until the author has mended them."""


class TemplateChanged(DomainError):
    """Somebody else saved the template since this page was opened."""


class TemplateArchived(DomainError):
    """An archived template takes no changes."""


class TemplateBroken(Exception):
    """A template does not parse or does not render; the text is for its author."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class MissingValue(Exception):
    """A merge tag without fallback met a person without that value. Carries the attribute's key, never a value."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key
