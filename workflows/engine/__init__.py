"""What moves people along: claim who is due, read what is so, decide by the pure step, write it all at once."""
