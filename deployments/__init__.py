"""Where the flows run, and the rehearsal lab."""
