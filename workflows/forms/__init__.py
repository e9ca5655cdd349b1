"""The forms of pages and panels."""
