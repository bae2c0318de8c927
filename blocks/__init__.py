"""HOW: the wires to machines, etcd and Kubernetes. The only room that imports their client libraries."""

import os

# python-etcd3's generated code is older than protobuf's C++ parser: it imports only under the Python one,
# and only if that is chosen before anything imports protobuf.
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
