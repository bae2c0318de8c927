#!/bin/bash
# Installs evenkeel from this folder, without a network: ./install.sh, or PYTHON=/path/to/python ./install.sh
# It changes nothing outside of the folder. What is complete stays as it is when it is run again; what was cut off begins anew.
set -euo pipefail
cd "$(dirname "$0")"
export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels
unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CONSTRAINT PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_PREFIX PIP_USER PYTHONPATH PYTHONHOME

say() { echo "evenkeel: $*"; }
fail() { say "$*" >&2; exit 1; }

# What is wrong with a Python, in a few words; nothing when it will do.
fault_of() {
    "$1" - <<'END' 2>/dev/null || echo "it does not run"
import os, platform, sys
version = "%s %s" % (platform.python_implementation(), platform.python_version())
def fault():
    if platform.python_implementation() != "CPython" or not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return "it is " + version
    if "t" in sys.abiflags:
        return "it is %s without the GIL" % version
    if sys.platform != "linux" or platform.machine() != "x86_64" or sys.maxsize < 2 ** 32:
        return "it is for %s %s" % (sys.platform, platform.machine())
    libc, _, glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "no glibc").partition(" ")
    if libc != "glibc" or tuple(map(int, glibc.split(".")[:2])) < (2, 28):
        return "%s %s is too old, 2.28 is needed" % (libc, glibc)
    try:
        import ensurepip, venv
    except ImportError:
        return "%s lacks the module venv (Debian: apt-get install python3-venv)" % version
print(fault() or "")
END
}

find_python() {
    local name found fault faults=""
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        found=$(command -v "$name") || { faults="$faults; $name: not found"; continue; }
        fault=$(fault_of "$found")
        test -n "$fault" || { echo "$found"; return; }
        faults="$faults; $found: $fault"
    done
    fail "CPython 3.11, 3.12 or 3.13 for Linux x86_64 is needed${faults}. Install one, or name it: PYTHON=/path/to/python ./install.sh"
}

wrong=$(sha256sum --check --quiet SHA256SUMS 2>&1) || fail "files differ from SHA256SUMS: copy the archive again and unpack it anew:
$wrong"
say "$(wc -l <SHA256SUMS) files verified by SHA256SUMS"
test ! -e .venv/.ready || { say "installed already, nothing is changed: rm -r .venv to install it anew"; exit 0; }
python=$(find_python)
rm -rf .venv # of an installation that was cut off
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --no-deps --requirement wheels/requirements.txt
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
.venv/bin/python -m pip --quiet check
touch .venv/.ready # for make: set up already
say "installed in $PWD/.venv with $(.venv/bin/python --version) ($python); nothing else is changed"
cat <<'END'
Next, in this folder (README.md, from step 2 of "Production"):

    . .venv/bin/activate
    cp configs/prod.example.yaml configs/prod.yaml
    vi configs/prod.yaml
    evenkeel check configs/prod.yaml
END
