"""A first config, drafted from what a running platform says of itself; all of it is read, nothing is changed."""
