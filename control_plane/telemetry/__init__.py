"""What the service tells of itself: logs, traces, counts, failures."""
