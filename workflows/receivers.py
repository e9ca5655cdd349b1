"""What this room hears from below. Signals only wake: what happened is read from rows."""
