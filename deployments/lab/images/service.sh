#!/bin/sh
# A small web service: GET / answers the fixed line in /www/index.json. As the first process of a pod it must pass on
# the end itself: the kernel delivers no signal with a default action to a process 1.
httpd -f -p 8080 -h /www -c /etc/httpd.conf &
server=$!
trap 'kill "$server"; wait "$server"; exit 0' TERM INT
wait "$server"
