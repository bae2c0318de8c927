# What a machine has and a test must not touch, as bash functions. Bash reads this first (BASH_ENV).
# $R is the machine's root, $R/.state what the functions remember. Builtins only where it matters: a fork is a millisecond.
be_at() {
    local word
    export R=$1
    S=$R/.state
    test -e "$S/gluster" || unset -f gluster
    test -e "$S/lacks" || { unset -f command; return 0; }
    while read -r word; do unset -f "$word"; done <"$S/lacks"
}
did() { printf '%s\n' "$*" >>"$S/did"; }
say() {
    local line
    if test -e "$S/$1"; then while IFS= read -r line; do printf '%s\n' "$line"; done <"$S/$1"
    else printf '%b' "${2-}"; fi
}

listed() {
    local line
    test ! -e "$S/$1" || while IFS= read -r line; do test "$line" != "$2" || return 0; done <"$S/$1"
    return 1
}

# A script's 2>/dev/null would hide it.
command_not_found_handle() { listed lacks "$1" || echo "$1" >>"$R/tmp/not-found"; return 127; }

uname() { case $1 in -n) say hostname ;; *) command uname "$@" ;; esac; }
hostnamectl() {
    did hostnamectl "$@"
    test -e "$S/name-is-fixed" || { printf '%s\n' "$2" >"$S/hostname"; printf '%s\n' "$2" >"$R/etc/hostname"; }
}
id() { test $# -lt 2 || { ! listed lacks-users "$2"; return; }; say uid '0\n'; }
date() { local ahead=0; case $1 in +%s.%N) test ! -e "$S/clock" || read -r ahead <"$S/clock"; printf @now%+d@ "$ahead" ;; *) command date "$@" ;; esac; }
keepalived() { :; }
# Of package managers; which one a machine lacks is in $S/lacks.
apt-get() { :; }
dnf() { :; }
yum() { :; }
ls() { case $* in --version) echo 'ls (GNU coreutils) 9.1' ;; *) command ls "$@" ;; esac; }
# Both programs that are run by name, each with its text: one hears $S/adverts, lines of "SOURCE PAYLOAD", one announces.
interpreter() {
    local source payload
    case $2 in
    *recv*) while read -r source payload; do test $((16#${payload:2:2})) != "$6" || echo "$source $payload"; done < <(say adverts) ;;
    *) did announce "${@:3}" ;;
    esac
}
python3() { interpreter "$@"; }
perl() { interpreter "$@"; }
# A connection is refused, as by a machine where nothing listens. $S/unreachable has the others: "ADDRESS PORT error", or silent.
timeout() {
    local address port said
    case $* in
    */maintenance/status*) say etcd-status; return ;;  # of the etcd on the machine itself
    */dev/tcp/*)
        test ! -e "$S/unreachable" || while read -r address port said; do
            case $* in
            *"/$address/$port") test "$said" != silent || return 124; echo "bash: connect: $said" >&2; return 1 ;;
            esac
        done <"$S/unreachable"
        echo 'bash: connect: Connection refused' >&2; return 1 ;;
    esac
    if declare -F "$2" >/dev/null; then "${@:2}"; else command timeout "$@"; fi
}
# Bash itself reads the script that it is sent: of a file it reads blocks, of a pipe it would read each byte.
cat() {
    local text
    if (($#)) || test -p /dev/stdin; then command cat "$@"; return; fi
    while IFS= read -rd '' text; do printf '%s\0' "$text"; done
    printf %s "$text"
}
dd() { case $* in *fsync*) ;; *) command dd "$@" ;; esac; }
chown() { :; }
stat() {
    local on number=0 free
    case $* in '-c %d '*) disk "$3"; echo "$number"; return ;; esac
    if ((EUID)) || test -e "$S/stat-as"; then command stat "$@" | sed "s/ $EUID\$/ 0/; $(say stat-as)"; else command stat "$@"; fi
}
# Other file systems than the root's are in $S/disks, lines of "FOLDER FREE": which one a path is `on`, its `number`, and what is `free`.
disk() {
    test ! -e "$S/disks" || while read -r on free; do
        ((++number))
        case $1/ in "$R$on"/*) return ;; esac
    done <"$S/disks"
    on=/ number=0 free=107374182400
    test ! -e "$S/free" || read -r free <"$S/free"
}
df() { local on number=0 free; disk "${*: -1}"; printf 'Avail\n%s\n' "$free"; }
pgrep() {
    case $* in
    -P*) return 1 ;;
    *containerd-shim*) say shims; test -s "$S/shims" ;;
    *) say processes; test -s "$S/processes" ;;
    esac
}
kill() { did kill "$@"; test -e "$S/unkillable" || { : >"$S/processes"; : >"$S/shims"; }; }
sleep() { :; }
umount() {
    local path=${*: -1} line left=''
    did umount "$@"
    ! listed busy "$path" || { echo "umount: $path: target is busy." >&2; return 32; }
    while IFS= read -r line; do case $line in *" $path "*) ;; *) left+=$line$'\n' ;; esac; done <"$R/proc/mounts"
    printf %s "$left" >"$R/proc/mounts"
}
iptables-save() { say iptables; }
iptables() { say input-policy '-P INPUT ACCEPT\n'; }
nft() { say nft; }
# firewalld 1.3.3: $S/firewall-runtime and $S/firewall-permanent have lines of "ZONE SETTING VALUE", one value a line. Several kinds of
# change in one command line are refused.
firewall-cmd() {
    local file=firewall-runtime zone='' kind word verb='' kinds=''
    systemctl is-active firewalld >/dev/null || { echo 'FirewallD is not running' >&2; return 252; }
    for word; do case $word in --permanent) file=firewall-permanent ;; --zone=*) zone=${word#*=} ;; esac; done
    case $* in
    *--get-default-zone*) say firewall-default 'public\n'; return ;;
    *--list-all-zones*) firewall_zones "$file"; return ;;
    *--info-service=*) firewall_service "${*#*=}"; return ;;
    esac
    test ! -e "$S/firewall-fixed" || return 0
    for word; do
        case $word in --add-*=* | --remove-*=*) case $kinds in *"${word%%=*}"*) ;; *) kinds+=${word%%=*} ;; esac ;; esac
    done
    case $kinds in
    '' | --*--*) echo 'firewall-cmd: error: argument --add-protocol: not allowed with argument --add-port' >&2; return 2 ;;
    esac
    for kind in source service port protocol; do
        case " $* " in *" --add-$kind="*) verb=add ;; *" --remove-$kind="*) verb=remove ;; *) continue ;; esac
        for word; do case $word in "--$verb-$kind="*) firewall_$verb "$file" "$zone ${kind}s ${word#*=}" ;; esac; done
        did firewall-cmd "$@"
        echo success
        return
    done
}
firewall_add() { if listed "$1" "$2"; then echo "Warning: ALREADY_ENABLED: $2" >&2; else printf '%s\n' "$2" >>"$S/$1"; fi; }
firewall_remove() { grep -vxF -e "$2" "$S/$1" >"$S/half"; mv "$S/half" "$S/$1"; }
firewall_zones() {
    local zones='public trusted' lines=() line zone setting values
    test ! -e "$S/$1" || mapfile -t lines <"$S/$1"
    for line in "${lines[@]}"; do
        case " $zones " in *" ${line%% *} "*) ;; *) zones+=" ${line%% *}" ;; esac
    done
    for zone in $zones; do
        echo "$zone"
        if test "$zone" = trusted; then echo '  target: ACCEPT'; else echo '  target: default'; fi
        for setting in interfaces sources services ports protocols; do
            values=''
            for line in "${lines[@]}"; do case $line in "$zone $setting "*) values+=" ${line#* * }" ;; esac; done
            echo "  $setting:${values:- }"
        done
        echo '  rich rules: '
        for line in "${lines[@]}"; do case $line in "$zone rule "*) printf '\trule %s\n' "${line#* * }" ;; esac; done
        echo
    done
}
firewall_service() {
    echo "$1"
    case $1 in
    kubelet) echo '  ports: 10250/tcp' ;;
    ssh) echo '  ports: 22/tcp' ;;
    esac
    echo '  protocols: '
}
journalctl() { say journal; }
mountpoint() { listed mountpoints "$2"; }
modprobe() { ! listed lacks-modules "${*: -1}"; }
ip() {
    local device address
    case "$*" in
    '-o link show dev '*) [[ $'\n'$(<"$S/addresses") == *$'\n'"$5 "* ]] || return 1; echo "2: $5: <UP> mtu 1500 link/ether 02:00:00:00:00:01 brd ff"; return ;;
    esac
    case "$*" in '-4 route show default') say routes 'default via 10.0.0.1 dev eth0\n'; return ;; *route*) return ;; 'link delete '*) did ip "$@"; rmdir "$R/sys/class/net/$3"; return ;; esac
    while read -r device address; do echo "2: $device    inet $address scope global $device"; done <"$S/addresses"
}
# As glibc with "multi on": all lines' addresses, a loopback address first; an address is its own answer.
getent() {
    local from key address names name answers failed=0
    for key in "${@:2}"; do
        answers=
        test "$key" != 255.255.255.255 || answers=$key
        for from in "$S/resolver" "$R/etc/hosts"; do
            test -e "$from" && test -z "$answers" || continue
            while read -r address names; do
                for name in $names; do
                    test "$name" = "$key" || continue
                    case $address in 127.*) answers="$address $answers" ;; *) answers+="$address " ;; esac
                done
            done <"$from"
        done
        test -n "$answers" || { failed=2; continue; }
        for address in $answers; do printf '%-15s %s\n' "$address" "STREAM $key" "$address" 'DGRAM  ' "$address" 'RAW    '; done
    done
    return $failed
}

# As systemd 252: a unit that links to /dev/null can be stopped only.
unit_masked() { test -L "$R/etc/systemd/system/$1.service" && test -c "$R/etc/systemd/system/$1.service"; }
unit_exists() { test -e "$R/etc/systemd/system/$1.service" || test -d "$S/units/$1"; }
rooted() {
    local text= name
    IFS= read -rd '' text <"$1"
    for name in EnvironmentFile= EnvironmentFile=- config-file= 'config-file ' CONFIG_FILE=; do text=${text//"$name/"/"$name$R/"}; done
    printf %s "$text"
}
unit_set() { test -d "$S/units/$1" || mkdir -p "$S/units/$1"; printf '%s\n' "$3" >"$S/units/$1/$2"; }
unit_is() { word=$3; test ! -e "$S/units/$1/$2" || read -r word <"$S/units/$1/$2"; echo "$word"; }

systemctl() {
    local verb=$1 unit= now= word
    test "$verb" != --version || { echo 'systemd 252 (252.39-1~deb12u1)'; return; }
    shift
    for word; do case $word in --now) now=yes ;; -*) ;; *) unit=${word%.service} ;; esac; done
    case $verb in
    show)
        unit_is "$unit" active inactive >/dev/null
        case $word in active) word=0; test ! -e "$S/units/$unit/pid" || read -r word <"$S/units/$unit/pid" ;; *) word=0 ;; esac
        echo "MainPID=$word"; return ;;
    cat)
        # What a unit names is below this root, too.
        for word in {"$R/usr/lib","$R/etc"}/systemd/system/$unit.service{,.d/*.conf}; do
            test ! -e "$word" || { echo "# ${word#"$R"}"; rooted "$word"; now=yes; }
        done
        test -n "$now"; return ;;
    is-active) unit_is "$unit" active inactive; test "$word" = active; return ;;
    is-enabled)
        unit_exists "$unit" || { echo "Failed to get unit file state for $unit.service" >&2; return 1; }
        ! unit_masked "$unit" || { echo masked; return 1; }
        unit_is "$unit" enabled disabled; test "$word" = enabled; return ;;
    enable | start | restart)
        ! unit_masked "$unit" || { echo "Failed to $verb unit: Unit $unit.service is masked." >&2; return 1; } ;;
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
# k3s ends with an error when it is stopped: its unit is failed then.
unit_stop() {
    test ! -e "$S/units/$1/stubborn" || return 0
    case $1 in
    k3s*) unit_set "$1" active failed; test -e "$S/unkillable" || : >"$S/processes" ;;
    *) unit_set "$1" active inactive ;;
    esac
}

# Containers: name, image, Up or Exited, pod or plain. Images: tag and id.
docker() {
    systemctl is-active docker >/dev/null || { echo 'Cannot connect to the Docker daemon' >&2; return 1; }
    case $1 in
    info)
        case $* in *DockerRootDir*) printf %s "$R"; say docker-root '/var/lib/docker\n' ;; esac
        case $* in *ServerVersion*) say docker-version '20.10.24\n' ;; esac
        case $* in *DriverStatus*) say docker-store '[[Backing Filesystem extfs]]\n' ;; esac ;;
    ps) docker_ps "${@:2}" ;;
    stop) did docker "$@"; docker_set Exited "${@:2}" ;;
    rm) did docker "$@"; docker_set gone "${@:2}" ;;
    load) did docker "$@"; docker_load "${@: -1}" ;;
    image) if test "$2" = ls; then say images; else grep -q "^$3 " "$S/images"; fi ;;
    esac
}
containerd() { echo 'version = 2'; echo "root = \"$R$(say containerd-root '/var/lib/containerd\n')\""; }
docker_ps() {
    local all= wanted=name pods= word name image state owner
    for word; do
        case $word in -a | -qa) all=yes ;; '{{.Image}}') wanted=image ;; label=io.kubernetes.pod.name) pods=pod ;; esac
    done
    test ! -e "$S/containers" || while read -r name image state owner; do
        test -n "$all" || test "$state" = Up || continue
        test -z "$pods" || test "$owner" = pod || continue
        echo "${!wanted}"
    done <"$S/containers"
}
docker_set() {
    local to=$1 name image state owner left=''
    shift
    while read -r name image state owner; do
        case " $* " in *" $name "*) test "$to" != gone || continue; state=$to ;; esac
        left+="$name $image $state $owner"$'\n'
    done <"$S/containers"
    printf %s "$left" >"$S/containers"
}
docker_load() {
    test ! -e "$S/disk-full" || { echo 'no space left on device' >&2; return 1; }
    tar -xOf "$1" manifest.json ./manifest.json index.json 2>/dev/null | grep -oE '"[^"]+:[^"]+"' | tr -d '"' | sed 's/$/ sha256:0/' >>"$S/images"
}

# GlusterFS, where a test has made a pool: see gluster.py.
gluster() {
    local self port connection code said
    read -r self port <"$S/gluster-self"
    exec {connection}<>"/dev/tcp/127.0.0.1/$port"
    printf '%s\n' "$self" "$R" $# "$@" >&$connection
    read -r code <&$connection
    IFS= read -rd '' said <&$connection
    exec {connection}>&-
    case $said in '<'*) printf %s "$said" ;; *) printf %s "$said" >&2 ;; esac
    test "$code" = 0 || return "$code"
    case $* in *'peer '* | *replace-brick*) did gluster "$@" ;; esac
}

# One release, and its values as flat JSON, of which Helm 3.x keeps only what an upgrade is given. Of two values for one name
# the last one counts, in JSON, too.
helm() {
    local words=() values= value namespace=default
    case $1 in
    list) say helm-list '[]\n'; return ;;
    get) test -e "$S/helm-values" || { echo 'Error: release: not found' >&2; return 1; }; say helm-values; return ;;
    esac
    did helm "$@"
    test ! -e "$S/helm-fails" || { say helm-fails >&2; return 1; }
    while (($#)); do
        case $1 in
        --values) read -r values; values=${values#null}; values=${values#\{}; values=${values%\}}; shift ;;
        --set-string) value=${2//\\,/,}; values+="${values:+,}\"${value%%=*}\":\"${value#*=}\""; shift ;;
        -n) namespace=$2; shift ;;
        --timeout) shift ;;
        -*) ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    printf '{%s}\n' "$values" >"$S/helm-values"
    value=${words[2]##*/}
    printf '[{"name":"%s","namespace":"%s","status":"deployed","chart":"%s"}]\n' "${words[1]}" "$namespace" "${value%.tgz}" >"$S/helm-list"
}

command() { test "$1" != -v || ! listed lacks "$2" || return 1; builtin command "$@"; }

test -z "${R-}" || be_at "$R"
