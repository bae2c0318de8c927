#!/bin/sh
# The backup console's first process: works on Restore objects when `tidb-ctl.sh restore` tells it that there is one, and
# once at its start, for those that a pod before it left half done.
trap 'exit 0' TERM INT
trap 'asked=yes' USR1
asked=yes
while :; do
    if [ "$asked" ]; then
        asked=
        /tidb-ctl.sh work || asked=yes
    fi
    # Short, since a signal may fall between the question and the wait.
    sleep 2 &
    wait $!
done
