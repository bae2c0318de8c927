#!/bin/sh
# Waits to be told to end, and ends at once.
trap 'exit 0' TERM INT
while :; do
    sleep 3600 &
    wait $!
done
