"""Segments in the browser: the builder, the pages of one segment, and who is in it."""
