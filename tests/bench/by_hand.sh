#!/bin/bash
# The move of the rehearsal lab's platform by hand: the corrected runbook as a careful operator's script, one host after the other.
#
#   by_hand.sh SSH_CONFIG        with what `lab secrets` exports
#
# SSH_CONFIG has the machines by their names, with shared connections. For a fresh lab without switches but LAB_WEIGHT. Prints
# "PHASE PART SECONDS" a line, all else goes to standard error. It looks at what it did, but it keeps no record, asks no client,
# and can't be run a second time.
set -euo pipefail
trap 'echo "by_hand.sh: line $LINENO failed" >&2' ERR

config=$1
sources="vm-1 vm-2 vm-3.lab.example"
servers="phys-1 phys-2 phys-3"
agents="phys-4 phys-5 phys-6"
targets="$servers $agents"
vip=10.99.0.100
bundle=/opt/k3s
airgap=$bundle/vendor/k3s-airgap-images-amd64.tar
tars="$airgap $bundle/image/k3s-ecology-customized-airgap-images.tar $bundle/image/k3s-ecology-vendor-airgap-images.tar"

# --- machines -------------------------------------------------------------------------------------------------------------------

declare -A address
for h in $sources $targets; do address[$h]=$(ssh -G -F "$config" "$h" | sed -n 's/^hostname //p'); done

become() {
    case $1 in
        phys-3) echo "sudo -k -S -p '' bash -s" ;;
        phys-6) echo "sudo -n bash -s" ;;
        *) echo "bash -s" ;;
    esac
}

# on HOST < SCRIPT: as root. What logins print stands before the mark; with LC_ALL=C nobody answers in Chinese.
on() {
    {
        if test "$1" = phys-3; then printf '%s\n' "$LAB_OPS_PASSWORD"; fi
        printf 'export LC_ALL=C LANG=C; echo; echo -- begin --; {\nset -euo pipefail\n'
        cat
        printf '\n} </dev/null\n'
    } | ssh -F "$config" "$1" "$(become "$1")" | sed '1,/^-- begin --$/d'
}

# do_on HOST SCRIPT
do_on() { on "$1" <<<"$2"; }

# kube HOST WORDS: kubectl on a server
kube() { do_on "$1" "k3s kubectl ${*:2}"; }

# within SECONDS COMMAND: until it succeeds
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null; do
        if test $SECONDS -ge $deadline; then echo "gave up: $*" >&2; return 1; fi
        sleep 0.5
    done
}

now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
last=$(now)
took() {
    local at ms
    at=$(now) ms=$((at - last)) last=$at
    printf '%s %s %d.%03d\n' "$1" "$2" $((ms / 1000)) $((ms % 1000))
}

# --- preflight ------------------------------------------------------------------------------------------------------------------

healthy() { do_on "$1" "ETCDCTL_API=3 etcdctl --endpoints=$2 endpoint health"; }
urls() { local h all=""; for h; do all="$all,http://${address[$h]}:2379"; done; echo "${all#,}"; }
# shellcheck disable=SC2086  # lists of names
old_etcd=$(urls $sources) new_etcd=$(urls $targets)

for h in $sources $targets; do do_on "$h" 'test "$(id -u)" = 0; systemctl is-active docker >/dev/null'; done
for h in $targets; do do_on "$h" "ls $tars $bundle/vendor/k3s $bundle/vendor/install-k3s.sh /usr/local/bin/etcd >/dev/null; df -h / >&2"; done
healthy vm-1 "$old_etcd" >/dev/null
test "$(kube vm-1 get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" = 3
do_on vm-1 "ip -4 -o addr show" | grep -F " $vip/" >/dev/null
took preflight all

# --- backup ---------------------------------------------------------------------------------------------------------------------

on vm-1 <<'END'
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
helm upgrade --install backup-ctl /opt/charts/uap-backup-ctl-6.5.2-20231108-1832.tgz -n uap --wait \
    --set-string common.env.ENV_EXPIRED_DAYS=7 --set-string common.nodeSelectorValue=1 \
    --set-string common.env.ENV_GLUSTERFS_NODE_VIP=10.99.0.100 \
    --set-string 'common.env.ENV_GLUSTERFS_NODE_IPS=10.99.0.11\,10.99.0.12\,10.99.0.13' \
    --set-string 'common.env.ENV_GLUSTERFS_NODE_HOSTNAMES=vm-1\,vm-2\,vm-3.lab.example' >&2
ctl() { k3s kubectl exec deployment/backup-ctl -n uap -- /tidb-ctl.sh "$@" >&2; }
ctl patch-tidb-for-br
ctl ls-tar
ctl backup-and-save
gzip -t /mnt/uap-global/backup/*.tar.gz
END
took backup all

# --- join: the targets become machines of the platform --------------------------------------------------------------------------

# What firewalld is to let through, now and after a reboot; without --reload, which would take docker's rules away.
for h in $targets; do
    ports="--add-port=2379-2380/tcp --add-port=8472/udp" vrrp=""
    case " $servers " in *" $h "*) ports="$ports --add-port=10443/tcp" vrrp=yes ;; esac
    on "$h" <<END
systemctl is-active firewalld >/dev/null || exit 0
for where in "" --permanent; do
    firewall-cmd \$where --zone=public $ports
    test -z "$vrrp" || firewall-cmd \$where --zone=public --add-protocol=vrrp
    firewall-cmd \$where --zone=trusted --add-source=10.43.0.0/16
done >&2
END
done
took join firewall

# First what would start containers anew, then these, then the vendor's scripts: they delete through what is mounted.
for h in $targets; do
    on "$h" <<'END' >&2
systemctl stop k3s k3s-agent || true
mapfile -t all < <(docker ps -qa); test ${#all[@]} = 0 || docker stop "${all[@]}"
mapfile -t all < <(docker ps -qa); test ${#all[@]} = 0 || docker rm "${all[@]}"
for script in k3s-uninstall.sh k3s-agent-uninstall.sh; do
    test ! -x /usr/local/bin/$script || /usr/local/bin/$script || true
done
test ! -e /usr/local/bin/k3s
test ! -e /var/lib/rancher/k3s
test -z "$(grep /var/lib/kubelet /proc/mounts)"
test -z "$(docker ps -qa)"
END
done
took join uninstall

block=$(for h in $sources $targets; do echo "${address[$h]} $h"; done)
for h in $targets; do do_on "$h" "hostnamectl set-hostname $h; test \"\$(uname -n)\" = $h"; done
for h in $sources $targets; do
    on "$h" <<END
cat - /etc/hosts > /etc/hosts.new <<'HOSTS'
$block
HOSTS
cat /etc/hosts.new > /etc/hosts
rm /etc/hosts.new
END
done
took join names

for h in $targets; do
    on "$h" <<END >&2
for tar in $tars; do docker load -i \$tar; done
mkdir -p /var/lib/rancher/k3s/agent/images
cp $airgap /var/lib/rancher/k3s/agent/images/
cp $bundle/vendor/k3s /usr/local/bin/k3s
chmod +x /usr/local/bin/k3s
printf '#!/bin/bash\nexport KUBECONFIG=/etc/rancher/k3s/k3s.yaml\n' > /etc/profile.d/k3s.sh
END
done
took join images

# One member at a time, as a learner first. The flags are those of the sources' members.
etcdctl="ETCDCTL_API=3 etcdctl --endpoints=$old_etcd"
cluster=$(do_on vm-1 "$etcdctl member list" | sed -E 's/^[^,]*, [^,]*, ([^,]*), ([^,]*),.*/\1=\2/' | paste -sd,)
for h in $targets; do
    peer=http://${address[$h]}:2380
    cluster="$cluster,$h=$peer"
    within 60 do_on vm-1 "$etcdctl member add $h --learner --peer-urls=$peer >&2"
    on "$h" <<END
mkdir -p /mnt/disks/etcd
chmod 700 /mnt/disks/etcd
cat > /etc/systemd/system/etcd.service <<'UNIT'
[Unit]
Description=Etcd Server
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=/usr/local/bin/etcd \\
    --name $h \\
    --data-dir /mnt/disks/etcd \\
    --heartbeat-interval 200 --election-timeout 2000 --max-request-bytes=3145728 \\
    --quota-backend-bytes=4294967296 --auto-compaction-retention=1 \\
    --initial-advertise-peer-urls $peer \\
    --listen-peer-urls http://0.0.0.0:2380 \\
    --listen-client-urls http://0.0.0.0:2379 \\
    --advertise-client-urls http://${address[$h]}:2379 \\
    --initial-cluster-token etcd-cluster-token-e3b0c44298fc \\
    --initial-cluster $cluster \\
    --initial-cluster-state existing
TimeoutStartSec=0
Restart=on-failure
RestartSec=5
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable etcd
systemctl start --no-block etcd
END
    id=$(do_on vm-1 "$etcdctl member list" | grep -F "$peer" | cut -d, -f1)
    within 120 do_on vm-1 "$etcdctl member promote $id >&2"
    within 60 healthy vm-1 "http://${address[$h]}:2379"
done
test "$(do_on vm-1 "$etcdctl member list" | grep -c ', started,.*, false$')" = 9
took join etcd

# As the first server was started: without a token, or with this one. Agents get the whole one.
server_token=$(do_on vm-1 "sed -n 's/^K3S_TOKEN=//p' /etc/systemd/system/k3s.service.env | tr -d \"'\\\"\"")
agent_token=$(do_on vm-1 'cat /var/lib/rancher/k3s/server/token')
server_flags="--disable=servicelb --disable=traefik --disable=local-storage --https-listen-port=10443"
server_flags="$server_flags --kube-apiserver-arg=service-node-port-range=1-65535 --tls-san=$vip --docker"
ready() { kube vm-1 get node "$1" --no-headers | grep -w Ready; }
serves() { kube "$1" --server="https://${address[$1]}:10443" get --raw /readyz; }
for h in $servers; do
    on "$h" <<END >&2
export INSTALL_K3S_SKIP_DOWNLOAD=true K3S_URL='' K3S_TOKEN='$server_token' K3S_DATASTORE_ENDPOINT='$new_etcd'
export INSTALL_K3S_EXEC='server --node-name=$h --node-ip=${address[$h]} $server_flags'
sh $bundle/vendor/install-k3s.sh
END
    within 300 ready "$h"
    within 60 serves "$h"
done
for h in $agents; do
    on "$h" <<END >&2
export INSTALL_K3S_SKIP_DOWNLOAD=true K3S_URL=https://$vip:10443 K3S_TOKEN='$agent_token' K3S_DATASTORE_ENDPOINT=''
export INSTALL_K3S_EXEC='agent --node-name=$h --node-ip=${address[$h]} --docker'
sh $bundle/vendor/install-k3s.sh
END
    within 300 ready "$h"
done
for h in phys-1 phys-5; do kube vm-1 label node "$h" uap-backup=1 ecology/middleware=true --overwrite >&2; done
took join k3s

# keepalived as on the holder, with its script and its password, and the VIP stays where it is.
carried=$(do_on vm-1 'tar -C /etc/keepalived -cz keepalived.conf conf.d not-in-maintenance.sh | base64 -w 0')
priority=250
for h in $servers; do
    on "$h" <<END
mkdir -p /etc/keepalived
base64 -d <<<'$carried' | tar -C /etc/keepalived -xz
sed -i -E 's/^( *priority) .*/\1 $priority/; /vrrp_startup_delay/d' /etc/keepalived/keepalived.conf
systemctl enable keepalived
systemctl restart keepalived
sleep 5
if ip -4 -o addr show | grep -F ' $vip/'; then systemctl stop keepalived; exit 1; fi
systemctl is-active keepalived
END
    priority=$((priority - 10))
done >&2
took join keepalived

# --- drain ----------------------------------------------------------------------------------------------------------------------

complete() {
    on phys-1 <<'END'
k3s kubectl get deployments,statefulsets -A --no-headers -o 'custom-columns=A:.spec.replicas,B:.status.readyReplicas' | awk '$1 != $2 {exit 1}'
test "$(k3s kubectl get pods -n iottepa -l cloneset=pool --no-headers | grep -cw Running)" = 2
k3s kubectl get pods -A --no-headers | awk '{split($3, n, "/")} $4 != "Completed" && ($4 != "Running" || n[1] != n[2]) {exit 1}'
END
}
for h in $sources; do kube phys-1 cordon "$h" >&2; done
kube phys-1 scale deployment orders -n iottepa --replicas=2 >&2
within 180 complete
# A bare pod, which nobody makes anew: without what belonged to that one pod.
bare=$(kube phys-1 get pod debug-mysql-client -n iottepa -o json | jq '
    ([.spec.volumes[]?.name | select(test("-token-|^kube-api-access"))]) as $injected
    | {apiVersion, kind, metadata: (.metadata | {name, namespace, labels}), spec: (.spec | del(.nodeName)
        | .volumes = [.volumes[]? | select(.name | IN($injected[]) | not)]
        | .containers = [.containers[] | .volumeMounts = [.volumeMounts[]? | select(.name | IN($injected[]) | not)]])}')
for h in $sources; do
    kube phys-1 drain "$h" --force --delete-emptydir-data --ignore-daemonsets --timeout=900s >&2
    on phys-1 <<END >&2
k3s kubectl get pod debug-mysql-client -n iottepa || k3s kubectl apply -f - <<'POD'
$bare
POD
END
    within 300 complete
done
kube phys-1 scale deployment orders -n iottepa --replicas=1 >&2
within 180 complete
took drain all

# --- keepalived: the VIP goes, the holder last -----------------------------------------------------------------------------------

holders() { local h; for h in $servers; do do_on "$h" "ip -4 -o addr show" | grep -oF " $vip/" || true; done | wc -l; }
held() { test "$(holders)" = 1; }
for h in vm-3.lab.example vm-2 vm-1; do do_on "$h" 'systemctl disable --now keepalived' >&2; done
within 30 held
curl -sf --noproxy "*" --max-time 5 -o /dev/null http://$vip:30080/
took keepalived all

# --- retire ---------------------------------------------------------------------------------------------------------------------

etcdctl="ETCDCTL_API=3 etcdctl --endpoints=$new_etcd"
for h in $sources; do
    on "$h" <<'END' >&2
systemctl disable --now k3s || true
mapfile -t pods < <(docker ps -q --filter label=io.kubernetes.pod.name); test ${#pods[@]} = 0 || docker stop "${pods[@]}"
if systemctl is-active k3s; then exit 1; fi
END
done
successor=$(do_on phys-1 "$etcdctl member list" | grep -F "${address[phys-1]}:2380" | cut -d, -f1)
for h in $sources; do
    # Only a leader gives the leadership away.
    do_on phys-1 "ETCDCTL_API=3 etcdctl --endpoints=http://${address[$h]}:2379 move-leader $successor" >&2 || true
done
for h in $sources; do
    kube phys-1 delete node "$h" >&2
    id=$(do_on phys-1 "$etcdctl member list" | grep -F "${address[$h]}:2380" | cut -d, -f1)
    within 60 do_on phys-1 "$etcdctl member remove $id >&2"
    do_on "$h" 'systemctl disable --now etcd; mv /mnt/disks/etcd /mnt/disks/etcd.old' >&2
done
took retire all

# --- verify ---------------------------------------------------------------------------------------------------------------------

test "$(do_on phys-1 "$etcdctl member list" | grep -c ', started,.*, false$')" = 6
healthy phys-1 "$new_etcd" >/dev/null
test "$(kube phys-1 get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" = 6
held
complete
for port in 30080 30081; do curl -sf --noproxy "*" --max-time 5 -o /dev/null http://$vip:$port/; done
on phys-1 <<END >&2
k3s kubectl exec -i debug-mysql-client -n iottepa -- sh -ec \
    'read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -h mysql.iottepa -u wacos wacos -e "SELECT COUNT(*) FROM devices"' <<'PASSWORD'
$LAB_MYSQL_WACOS_PASSWORD
PASSWORD
END
took verify all
