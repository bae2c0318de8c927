"""The certificates of etcd: judged on the orchestrator's machine, and brought to the targets."""
