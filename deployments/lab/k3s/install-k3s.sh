#!/bin/sh
# Make this machine run k3s as a systemd service, from the binary that lies at /usr/local/bin/k3s already.
#
#   INSTALL_K3S_SKIP_DOWNLOAD=true [INSTALL_K3S_EXEC="[server|agent] FLAGS"] [K3S_URL= K3S_TOKEN= ...] install-k3s.sh [FLAGS]
#
# Behaves as k3s's own installer does with INSTALL_K3S_SKIP_DOWNLOAD=true: all K3S_* variables go to the service's
# environment file, K3S_URL makes an agent, INSTALL_K3S_SKIP_ENABLE and INSTALL_K3S_SKIP_START are obeyed, and a second
# run that changes nothing restarts nothing. The units set no Limit*: a machine that is a container may not raise them.
set -e

bin=/usr/local/bin
units=/etc/systemd/system

info() { echo "[INFO] " "$@"; }
fatal() { echo "[ERROR] " "$@" >&2; exit 1; }

# Arguments as they stand in a unit file: each quoted, on a line of its own.
quoted_lines() {
    for argument in "$@"; do
        printf " \\\\\n        '%s'" "$(printf '%s' "$argument" | sed "s/'/\\\\\\\\x27/g")"
    done
}

verify_machine() {
    [ "$(id -u)" -eq 0 ] || fatal "Run it as root"
    [ -d /run/systemd/system ] || fatal "Can not find systemd to use as a process supervisor for k3s"
    [ "$INSTALL_K3S_SKIP_DOWNLOAD" = true ] || fatal "There is nothing to download here: set INSTALL_K3S_SKIP_DOWNLOAD=true"
    [ -x $bin/k3s ] || fatal "Executable k3s binary not found at $bin/k3s"
}

choose_command() {
    case "$1" in
        -* | "")
            if [ -z "$K3S_URL" ]; then
                command=server
            else
                [ -n "$K3S_TOKEN" ] || fatal "Defaulted k3s exec command to 'agent' because K3S_URL is defined, but K3S_TOKEN is not defined."
                command=agent
            fi ;;
        server | agent) command=$1; shift ;;
        *) fatal "Unknown k3s command '$1': server or agent" ;;
    esac
    case "$K3S_URL" in
        "" | https://*) ;;
        *) fatal "Only https:// URLs are supported for K3S_URL (have $K3S_URL)" ;;
    esac
    exec_line="$bin/k3s \\
    $command$(quoted_lines "$@")"
    # An agent's start does not wait for its server; a server is started when its API answers.
    if [ "$command" = server ]; then name=k3s type=notify; else name=k3s-agent type=exec; fi
    name=${INSTALL_K3S_NAME:+k3s-}${INSTALL_K3S_NAME:-$name}
    unit=$units/$name.service
    uninstall=$bin/$name-uninstall.sh
}

installed_hashes() { sha256sum $bin/k3s "$unit" "$unit.env" 2>/dev/null || true; }

create_link() {
    if [ -e "$bin/$1" ] || command -v "$1" > /dev/null 2>&1; then
        info "Skipping $bin/$1 symlink to k3s, already exists"
    else
        info "Creating $bin/$1 symlink to k3s"
        ln -s k3s "$bin/$1"
    fi
}

create_killall() {
    info "Creating killall script $bin/k3s-killall.sh"
    cat > $bin/k3s-killall.sh <<'KILLALL'
#!/bin/sh
# Stop k3s and take its mounts and iptables rules away. Docker's containers go on running.
[ "$(id -u)" -eq 0 ] || exec sudo "$0" "$@"
set -x
for service in /etc/systemd/system/k3s*.service; do
    [ -s "$service" ] && systemctl stop "$(basename "$service")"
done
unmount_below() {
    awk -v path="$1" 'index($2, path) == 1 {print $2}' /proc/self/mounts | sort -r | xargs -r -n 1 umount
}
unmount_below /run/k3s
unmount_below /var/lib/rancher/k3s
unmount_below /var/lib/kubelet/pods
rm -rf /var/lib/cni/
iptables-save | grep -v KUBE- | grep -v CNI- | iptables-restore
KILLALL
    chmod 755 $bin/k3s-killall.sh
}

create_uninstall() {
    info "Creating uninstall script $uninstall"
    cat > "$uninstall" <<UNINSTALL
#!/bin/sh
# Undo the installation of $name. Docker's containers, the datastore and /etc/rancher/node are kept.
[ "\$(id -u)" -eq 0 ] || exec sudo "\$0" "\$@"
set -x
$bin/k3s-killall.sh
systemctl disable $name
systemctl reset-failed $name
rm -f $unit $unit.env
systemctl daemon-reload
trap 'rm -f $uninstall' EXIT
if ls $units/k3s*.service > /dev/null 2>&1; then
    set +x; echo 'Additional k3s services installed, skipping uninstall of k3s'; set -x
    exit
fi
for link in kubectl crictl ctr; do
    if [ -L $bin/\$link ]; then rm -f $bin/\$link; fi
done
rm -rf /etc/rancher/k3s /run/k3s /run/flannel /var/lib/rancher/k3s /var/lib/kubelet
rm -f $bin/k3s $bin/k3s-killall.sh
UNINSTALL
    chmod 755 "$uninstall"
}

create_env_file() {
    info "env: Creating environment file $unit.env"
    (umask 077; : > "$unit.env")
    chmod 600 "$unit.env"
    env | grep '^K3S_' >> "$unit.env" || true
    env | grep -E -i '^(NO|HTTP|HTTPS)_PROXY' >> "$unit.env" || true
}

create_unit() {
    info "systemd: Creating service file $unit"
    cat > "$unit" <<UNIT
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=$type
EnvironmentFile=$unit.env
KillMode=process
Delegate=yes
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=$exec_line
UNIT
}

enable_and_start() {
    [ "$INSTALL_K3S_SKIP_ENABLE" = true ] && return
    info "systemd: Enabling $name unit"
    systemctl enable "$unit" > /dev/null
    systemctl daemon-reload
    [ "$INSTALL_K3S_SKIP_START" = true ] && return
    if [ "$before" = "$(installed_hashes)" ]; then
        info "No change detected so skipping service start"
        return
    fi
    info "systemd: Starting $name"
    systemctl restart "$name"
}

# INSTALL_K3S_EXEC is split as a shell would split it; nothing in it is expanded.
literal=$(printf '%s' "$INSTALL_K3S_EXEC" | sed 's/[][!#$%&()*;<>?`{|}~]/\\&/g')
eval "set -- $literal \"\$@\""

verify_machine
choose_command "$@"
before=$(installed_hashes)
create_link kubectl
create_killall
create_uninstall
create_env_file
create_unit
enable_and_start
