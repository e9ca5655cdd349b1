"""Jobs of this part."""
