"""The new platform's machines: an etcd of three, three k3s servers on it, and the virtual address."""

from __future__ import annotations

import hashlib
import os

from deployments.lab import bundle, etcd_tls, keys, network, platform
from deployments.lab.k3s.plays import VERSION, takes_token_as_given
from deployments.lab.machines import API_PORT, SECOND_VIP, SOURCES, VIP, VRID, Machine
from deployments.lab.root_shell import put, sh
from deployments.lab.shell import LabError
from deployments.lab.steps import Step, each, wait

ETCD_CLUSTER = "etcd-cluster-token-e3b0c44298fc"
DISABLED = ("servicelb", "traefik", "local-storage")
# The new platform's servers have half of their flags here, as installations that were changed by hand do.
NEW_FLAGS = f"--https-listen-port {API_PORT} --docker"
CONFIG_YAML = """\
disable: [{disabled}]
tls-san: {vip}
kube-apiserver-arg:
  - service-node-port-range=1-65535
"""

ETCD_UNIT = """\
[Unit]
Description=Etcd Server
After=network.target
After=network-online.target
Wants=network-online.target
Documentation=https://github.com/coreos

[Service]
Type=notify
EnvironmentFile=/etc/etcd.env
ExecStart=/usr/local/bin/etcd \\
    --name {name} \\
    --heartbeat-interval 200 --election-timeout 2000 \\
    --max-request-bytes=3145728{pairs} \\
    --data-dir /mnt/disks/etcd \\
    --initial-advertise-peer-urls {scheme}://{address}:2380 \\
    --listen-peer-urls {scheme}://0.0.0.0:2380 \\
    --listen-client-urls {scheme}://0.0.0.0:2379 \\
    --advertise-client-urls {scheme}://{address}:2379 \\
    --initial-cluster-token {token} \\
    --initial-cluster {cluster} \\
    --initial-cluster-state new
Restart=on-failure
RestartSec=5
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""

ETCD_ENV = """\
ETCD_QUOTA_BACKEND_BYTES=4294967296
ETCD_AUTO_COMPACTION_RETENTION="1"
"""

# Added where etcd speaks TLS; what it shows stands in its unit, whom it accepts here.
ETCD_ENV_TLS = f"""\
ETCD_TRUSTED_CA_FILE={etcd_tls.ON_SOURCES}/ca.crt
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_TRUSTED_CA_FILE={etcd_tls.ON_SOURCES}/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH=true
"""
ETCD_PAIRS = "".join(
    f" --{of}cert-file {etcd_tls.ON_SOURCES}/member.crt --{of}key-file {etcd_tls.ON_SOURCES}/member.key" for of in ("", "peer-")
)

# All three start as BACKUP, so on a common boot milliseconds decide; the delay lets vm-1 win every time.
# As grown installations have it: a second address with a label, a quoted password, a script of their own, an included file.
KEEPALIVED = """\
! keepalived of the sources
global_defs {{
    script_user root
    enable_script_security
    vrrp_garp_master_refresh 60
    vrrp_startup_delay {delay}
}}
include conf.d/*.conf
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}    # ours
    priority {priority}
    advert_int 1
    nopreempt
    authentication {{
        auth_type PASS
        auth_pass "{password}"
    }}
    virtual_ipaddress {{
        {vip}/24 dev eth0
        {second_vip}/24 dev eth0 label eth0:2
    }}
    track_script {{
        maintenance
    }}
}}
"""
MAINTENANCE_CONF = """\
vrrp_script maintenance {
    script "/etc/keepalived/not-in-maintenance.sh /etc/keepalived/maintenance"
    interval 2
    fall 2
    rise 1
}
"""
MAINTENANCE = """\
#!/bin/sh
# An operator who touches this file takes the machine out of the election.
exec test ! -e "$1"
"""

# As the vendor installs a server: images into Docker, the airgap tar for k3s, the binary, the profile, the script.
PREPARE = """\
docker load --quiet -i /opt/k3s/vendor/k3s-airgap-images-amd64.tar
docker load --quiet -i /opt/k3s/image/k3s-ecology-customized-airgap-images.tar
docker load --quiet -i /opt/k3s/image/k3s-ecology-vendor-airgap-images.tar
"""
INSTALL = """\
mkdir -p /var/lib/rancher/k3s/agent/images /etc/profile.d
cp /opt/k3s/vendor/k3s-airgap-images-amd64.tar /var/lib/rancher/k3s/agent/images/
cp /opt/k3s/vendor/k3s /usr/local/bin/k3s
chmod +x /usr/local/bin/k3s
printf '#!/bin/bash\\nexport KUBECONFIG=/etc/rancher/k3s/k3s.yaml\\n' > /etc/profile.d/k3s.sh
export INSTALL_K3S_SKIP_DOWNLOAD=true
export {environment}
export INSTALL_K3S_EXEC='{flags}'
sh /opt/k3s/vendor/install-k3s.sh
"""


def install(current: Step) -> None:
    """The new platform runs on the three sources."""
    current.note = "etcd"
    each(SOURCES, _etcd)
    current.note = "images"
    each(SOURCES, lambda machine: sh(machine, PREPARE))
    current.note = "first k3s server"
    _server(SOURCES[0], _token())
    current.note = "other k3s servers"
    token = _token_of_others()
    each(SOURCES[1:], lambda machine: _server(machine, token))
    current.note = "keepalived"
    _keepalived(current)
    platform.deploy_new(SOURCES[0], len(SOURCES), current)


def quiesce() -> None:
    """No k3s runs on the sources, and nobody leads: a kept lease would let the next start wait for 15 s until it expires."""
    each(SOURCES, lambda machine: sh(machine, "systemctl stop k3s"))
    sh(SOURCES[0], ". /etc/lab/etcdctl; etcdctl del --prefix /registry/leases/kube-system/kube- > /dev/null")


def _etcd(machine: Machine) -> None:
    members = {f"etcd-node-{n}": m for n, m in enumerate(SOURCES, start=1)}
    name = next(name for name, member in members.items() if member is machine)
    scheme, pairs = etcd_tls.scheme(), ETCD_PAIRS if etcd_tls.is_on() else ""
    cluster = ",".join(f"{n}={scheme}://{m.address}:2380" for n, m in members.items())
    unit = ETCD_UNIT.format(name=name, address=machine.address, token=ETCD_CLUSTER, cluster=cluster, scheme=scheme, pairs=pairs)
    for path, content in etcd_tls.of_source(machine).items():
        put(machine, path, content, "0600")
    put(machine, "/etc/etcd.env", ETCD_ENV + (ETCD_ENV_TLS if etcd_tls.is_on() else ""))
    put(machine, "/usr/lib/systemd/system/etcd.service", unit)
    sh(machine, "mkdir -p -m 700 /mnt/disks/etcd; systemctl daemon-reload; systemctl enable --now etcd")


def _server(machine: Machine, token: str) -> None:
    environment = f"K3S_TOKEN={token} {datastore()}"
    put(machine, "/etc/rancher/k3s/config.yaml", CONFIG_YAML.format(disabled=", ".join(disabled()), vip=VIP))
    flags = f"--node-name {machine.own_name} {NEW_FLAGS}"
    sh(machine, INSTALL.format(environment=environment, flags=flags), timeout=300)


def datastore() -> str:
    """What a server's datastore is, as variables of its installer."""
    said = {"ENDPOINT": ",".join(f"{etcd_tls.scheme()}://{m.address}:2379" for m in SOURCES)}
    if etcd_tls.is_on():
        files = {"CAFILE": "ca.crt", "CERTFILE": "client.crt", "KEYFILE": "client.key"}
        said |= {name: f"{etcd_tls.ON_SOURCES}/{file}" for name, file in files.items()}
    return " ".join(f"K3S_DATASTORE_{name}={value}" for name, value in said.items())


def disabled() -> list[str]:
    """The add-ons that no k3s of the lab runs: the field's, and those that there is no image for."""
    return [*DISABLED, *bundle.without_image()]


def token_form() -> str:
    """How the servers got their token: LAB_K3S_TOKEN is empty (as the runbook has it), short or full."""
    form = os.environ.get("LAB_K3S_TOKEN", "empty")
    if form not in ("empty", "short", "full"):
        raise LabError(f"LAB_K3S_TOKEN: {form!r} is none of empty, short, full")
    return form


def _token() -> str:
    secret = keys.read_secrets()["k3s_token"]
    # A first server takes any text for its token: this one only looks like what servers hand out.
    return {"empty": "", "short": secret, "full": f"K10{hashlib.sha256(secret.encode()).hexdigest()}::server:{secret}"}[token_form()]


def _token_of_others() -> str:
    """From 1.20.9 on a first server that was given none makes one up, and refuses others without it."""
    if token_form() == "empty" and not takes_token_as_given(os.environ.get("LAB_K3S_VERSION", VERSION)):
        return sh(SOURCES[0], "cat /var/lib/rancher/k3s/server/token").strip()
    return _token()


def _keepalived(current: Step) -> None:
    for machine, priority, delay in zip(SOURCES, (100, 90, 80), (0, 5, 5), strict=True):
        password = keys.read_secrets()["vrrp"]
        text = KEEPALIVED.format(
            priority=priority, delay=delay, vrid=VRID, vip=VIP, second_vip=SECOND_VIP, password=password
        )
        put(machine, "/etc/keepalived/keepalived.conf", text, "0600")
        put(machine, "/etc/keepalived/conf.d/maintenance.conf", MAINTENANCE_CONF)
        put(machine, "/etc/keepalived/not-in-maintenance.sh", MAINTENANCE, "0755")
        sh(machine, "systemctl enable --now keepalived")
    wait("the virtual address", lambda: "" if VIP in network.addresses(SOURCES[0]) else SOURCES[0].name, 20, current)
