"""What still names a source: on the targets and in the cluster."""
