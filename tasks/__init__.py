"""WHAT: steps, one noun per file. A step probes, acts and verifies."""
