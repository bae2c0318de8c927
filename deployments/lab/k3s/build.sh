#!/bin/sh
# Make OUT_DIR/k3s (one executable file) and OUT_DIR/install-k3s.sh:   build.sh OUT_DIR
exec python3 "$(dirname "$0")/build.py" "$@"
