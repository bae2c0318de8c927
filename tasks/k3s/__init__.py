"""k3s: servers and agents join, nodes leave."""
