"""Speaking to PostgreSQL: what all who keep something there have in common."""
