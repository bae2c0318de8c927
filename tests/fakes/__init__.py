"""Stand-ins for a platform's world: machines, etcd, Kubernetes. Each remembers its mutations and fails when a test says so."""
