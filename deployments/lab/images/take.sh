#!/bin/sh
# GET /cgi-bin/take?id=7 takes order 7: acknowledged only when it lies in the file lake, in a file of its own.
id=${QUERY_STRING#id=}
case $id in
'' | *[!0-9]*) printf 'Status: 400 Bad Request\r\n\r\nan order is a number\n' ;;
*) if : >"/orders/$id"; then printf 'Content-Type: text/plain\r\n\r\ntaken\n'; else printf 'Status: 503 Service Unavailable\r\n\r\n'; fi ;;
esac
