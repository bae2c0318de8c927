"""A campaign over several platforms: what is said of it."""
