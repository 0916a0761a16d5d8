"""Programs that answer calls bare."""
