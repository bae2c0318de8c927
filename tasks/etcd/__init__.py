"""The platform's etcd: it grows by the targets and shrinks by the sources."""
