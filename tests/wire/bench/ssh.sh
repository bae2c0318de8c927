#!/bin/bash
# ssh as by_hand.sh calls it: keeps what each machine is sent, and answers as the lab would if all went well.
set -eu
if test "$1" = -G; then PATH=${PATH#*:} exec ssh "$@"; fi
host=$3 given=$(cat)
number=$(find "$SEEN" -type f | wc -l)
printf '%s\n' "$given" > "$SEEN/$(printf '%03d' "$number") $host"
printf '%s\n' "$*" >> "$ARGUMENTS"
asked_for() { cat "$SEEN"/* | sed -nE "s/.* member $1 ([^ ]+).*/\1/p"; }
member() { echo "id-$1, started, $2, http://10.99.0.$1:2380, http://10.99.0.$1:2379, $3"; }
members() {
    for n in 1 2 3; do member 1$n etcd-node-$n false; done
    for name in $(asked_for add); do
        id=2${name#phys-}
        member "$id" "$name" "$(asked_for promote | grep -qx "id-$id" && echo false || echo true)"
    done
}
nodes() { for n in $(seq "$1"); do echo "node-$n Ready master"; done; }

printf '欢迎登录\n\033[33mhello\033[0m \n-- begin --\n'
case $given in
    *"get nodes --no-headers"*) case $host in vm-1) nodes 3 ;; *) nodes 6 ;; esac ;;
    *"get node "*) nodes 1 ;;
    *"member list"*) members | grep -vwF "$(asked_for remove)" || members ;;
    *"get pod debug-mysql-client -n iottepa -o json"*) cat "$POD" ;;
    *"server/token"*) echo K10abc::server:secret ;;
    *"ip -4 -o addr show"*) case $host in vm-1 | phys-1) echo "2: eth0 inet 10.99.0.100/24" ;; esac ;;
esac
