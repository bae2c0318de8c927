"""The rehearsal lab: nine machines on one Linux box, three sources and six targets."""
