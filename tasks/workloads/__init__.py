"""What runs on the cluster: drained, kept complete, cut loose from the sources."""
