"""The benchmark of telephone calls."""
