"""Who brings messages to addresses beyond the app: an adapter for each way there is."""
