"""Cells of tables: counts for roles that see aggregates only (PRV-14), text for spreadsheets (SND-09). Pure."""

#: The largest count that is not told.
SMALL = 10


def coarse(count: int) -> str:
    """Small counts are not told, and all others only to the nearest ten: exact ones would give the small ones
    away by subtraction (recipients less sent less refused is failed)."""
    if count == 0:
        return "0"
    return f"fewer than {SMALL + 1}" if count <= SMALL else f"about {round(count, -1):,}"


def defused(text: str) -> str:
    """A cell that a spreadsheet could run as a formula stays text (SND-09)."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text
