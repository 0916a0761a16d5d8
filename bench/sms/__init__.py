"""What messages beyond the app cost."""
