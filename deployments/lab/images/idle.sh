#!/bin/sh
# Waits for SIGTERM or SIGINT, then ends at once.
trap 'exit 0' TERM INT
while :; do
    sleep 3600 &
    wait $!
done
