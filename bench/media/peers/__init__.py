"""Programs of peers that are no programs by themselves."""
