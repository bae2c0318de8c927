"""A stand-in for the k3s binary: the same commands, files and join protocol over the real Kubernetes binaries.

It runs on the rehearsal lab's machines as one zipapp (`build.py` makes it) with nothing but Debian's python3. What it
shares with k3s is what an operator touches: flags and K3S_* variables, the unit, the token, the bootstrap data in the
datastore, the agent's load balancer and its cache, and what survives a restart, a kill or an uninstall.
"""
