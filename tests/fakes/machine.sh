# What a machine has and a test must not touch, as bash functions. Bash reads this first (BASH_ENV).
# $R is the machine's root, $R/.state what the functions remember.
S=$R/.state
did() { printf '%s\n' "$*" >>"$S/did"; }

hostname() { cat "$S/hostname"; }
hostnamectl() {
    did hostnamectl "$@"
    test -e "$S/name-is-fixed" || printf '%s\n' "$2" | tee "$S/hostname" >"$R/etc/hostname"
}
id() { cat "$S/uid"; }
date() { command date -d "now + $(cat "$S/clock") seconds" "$@"; }
keepalived() { :; }
sync() { :; }
chown() { :; }
stat() { command stat "$@" | sed "s/ $EUID\$/ 0/"; }
df() { echo Avail; cat "$S/free"; }
pgrep() { grep . "$S/processes"; }
iptables-save() { cat "$S/iptables"; }
journalctl() { cat "$S/journal"; }
mountpoint() { grep -qxF "$2" "$S/mountpoints"; }
ip() { awk '{ print NR ": " $1 "    inet " $2 " scope global " $1 }' "$S/addresses"; }
getent() { awk -v name="$2" '!/^#/ { for (i = 2; i <= NF; i++) if ($i == name) { print $1, "STREAM", name; exit } }' "$S/resolver" "$R/etc/hosts"; }

unit_exists() { test -e "$R/etc/systemd/system/$1.service" || test -d "$S/units/$1"; }
unit_set() { mkdir -p "$S/units/$1"; printf '%s\n' "$3" >"$S/units/$1/$2"; }
unit_is() { cat "$S/units/$1/$2" 2>/dev/null || echo "$3"; }

systemctl() {
    local verb=$1 unit= now= word
    shift
    for word; do case $word in --now) now=yes ;; -*) ;; *) unit=${word%.service} ;; esac; done
    case $verb in
    is-active) word=$(unit_is "$unit" active inactive); echo "$word"; test "$word" = active; return ;;
    is-enabled)
        unit_exists "$unit" || { echo "Failed to get unit file state for $unit.service" >&2; return 1; }
        word=$(unit_is "$unit" enabled disabled); echo "$word"; test "$word" = enabled; return ;;
    esac
    did systemctl "$verb" "$@"
    test "$verb" != daemon-reload || return 0
    unit_exists "$unit" || { echo "Unit $unit.service not loaded." >&2; return 5; }
    case $verb in
    enable) unit_set "$unit" enabled enabled; test -z "$now" || unit_start "$unit" ;;
    disable) unit_set "$unit" enabled disabled; test -z "$now" || unit_stop "$unit" ;;
    start | restart) unit_start "$unit" ;;
    stop) unit_stop "$unit" ;;
    esac
}
unit_start() {
    test ! -e "$S/units/$1/broken" || { unit_set "$1" active failed; echo "Job for $1.service failed" >&2; return 1; }
    unit_set "$1" active active
}
unit_stop() { test -e "$S/units/$1/stubborn" || unit_set "$1" active inactive; }

# Containers: name, image, Up or Exited, pod or plain. Images: tag and id.
docker() {
    test "$(systemctl is-active docker)" = active || { echo 'Cannot connect to the Docker daemon' >&2; return 1; }
    case $1 in
    ps) docker_ps "${@:2}" ;;
    stop) did docker "$@"; docker_set Exited "${@:2}" ;;
    rm) did docker "$@"; docker_set gone "${@:2}" ;;
    load) did docker "$@"; docker_load "${@: -1}" ;;
    image) test "$2" = ls && cat "$S/images" || grep -q "^$3 " "$S/images" ;;
    esac
}
docker_ps() {
    local all= column=1 pods= word
    for word; do
        case $word in -a | -qa) all=yes ;; '{{.Image}}') column=2 ;; label=io.kubernetes.pod.name) pods=yes ;; esac
    done
    awk -v all=$all -v pods=$pods -v c=$column '(all || $3 == "Up") && (!pods || $4 == "pod") { print $c }' "$S/containers"
}
docker_set() {
    local to=$1
    shift
    awk -v names=" $* " -v to="$to" 'index(names, " " $1 " ") { if (to == "gone") next; $3 = to } { print }' "$S/containers" >"$S/half"
    mv "$S/half" "$S/containers"
}
docker_load() {
    test ! -e "$S/disk-full" || { echo 'no space left on device' >&2; return 1; }
    tar -xOf "$1" manifest.json | grep -oE '"[^"]+:[^"]+"' | tr -d '"' | sed 's/$/ sha256:0/' >>"$S/images"
}

while read -r word; do unset -f "$word"; done <"$S/lacks"
