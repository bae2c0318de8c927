"""Pieces of shell that steps send to machines, and how their answers are read."""
