"""What Prometheus hears of a run."""
