"""A run told: as a table, as a picture, and what clients noticed."""
