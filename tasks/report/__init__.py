"""A run reported: as a table, as a chart, and what clients noticed."""
