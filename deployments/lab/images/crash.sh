#!/bin/sh
# A bad release: says why, and ends.
echo "cannot start: the table 'devices' has no column 'owner'" >&2
exit 1
