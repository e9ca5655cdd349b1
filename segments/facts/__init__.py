"""Who did and who said what, as sets of contact numbers: sealed files, and what came since beside them (ADR 0073)."""
