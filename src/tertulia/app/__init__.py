"""The composition root: settings to adapters to services. Nobody imports it but cli."""
