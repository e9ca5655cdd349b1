"""Pages of campaigns: list and writing, review, steering, what came of it."""
