"""One archive with all that the orchestrator's machine needs, for networks that reach no package index."""
