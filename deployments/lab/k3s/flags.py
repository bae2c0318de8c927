"""Command lines of the Kubernetes binaries, as data: defaults that the operator's own arguments override."""

from pathlib import Path

from . import paths


def command(binary: str, defaults: dict[str, str], extra: list[str]) -> list[str]:
    """The full command of `binary`. An argument in `extra` ("name=value", as --kubelet-arg takes it) wins."""
    merged = dict(defaults)
    for argument in extra:
        name, _, value = argument.lstrip("-").partition("=")
        merged[name] = value or "true"
    return [str(paths.BINARIES / binary), *(f"--{name}={value}" for name, value in sorted(merged.items()))]


def apiserver(*, etcd: list[str], port: int, advertise: str, service_cidr: str) -> dict[str, str]:
    """The API server on all addresses; who joins has a token, who administers has a certificate, nobody is anonymous."""
    tls = paths.TLS
    return {
        "advertise-address": advertise,
        "allow-privileged": "true",
        "anonymous-auth": "false",
        "authorization-mode": "Node,RBAC",
        "bind-address": "0.0.0.0",
        "cert-dir": str(tls / "temporary-certs"),
        "client-ca-file": str(tls / "server-ca.crt"),
        "enable-admission-plugins": "NodeRestriction",
        "etcd-servers": ",".join(etcd),
        "insecure-port": "0",
        "kubelet-client-certificate": str(tls / "client-kube-apiserver.crt"),
        "kubelet-client-key": str(tls / "client-kube-apiserver.key"),
        "kubelet-preferred-address-types": "InternalIP",
        "profiling": "false",
        "secure-port": str(port),
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": str(tls / "service.key"),
        "service-account-signing-key-file": str(tls / "service.key"),
        "service-cluster-ip-range": service_cidr,
        "tls-cert-file": str(tls / "serving-kube-apiserver.crt"),
        "tls-private-key-file": str(tls / "serving-kube-apiserver.key"),
        "token-auth-file": str(paths.JOIN_TOKENS),
    }


def etcd_tls(ca_file: str, cert_file: str, key_file: str) -> dict[str, str]:
    """The API server's flags for a datastore that speaks TLS; none for one that does not."""
    named = {"etcd-cafile": ca_file, "etcd-certfile": cert_file, "etcd-keyfile": key_file}
    return {name: value for name, value in named.items() if value}


def controller_manager(kubeconfig: Path) -> dict[str, str]:
    """All controllers with their usual patience; it signs the nodes' certificates. No port: nobody asks it anything."""
    tls = paths.TLS
    return {
        "cluster-signing-cert-file": str(tls / "server-ca.crt"),
        "cluster-signing-key-file": str(tls / "server-ca.key"),
        "kubeconfig": str(kubeconfig),
        "port": "0",
        "profiling": "false",
        "root-ca-file": str(tls / "server-ca.crt"),
        "secure-port": "0",
        "service-account-private-key-file": str(tls / "service.key"),
        "use-service-account-credentials": "true",
    }


def scheduler(kubeconfig: Path) -> dict[str, str]:
    """The scheduler; no port either."""
    return {"kubeconfig": str(kubeconfig), "port": "0", "profiling": "false", "secure-port": "0"}


def kubelet(*, kubeconfig: Path, name: str, address: str, ca_file: Path, pause_image: str) -> dict[str, str]:
    """Docker without CNI (docker's own bridge is the pod network), and no cgroup per pod: machines are containers."""
    return {
        "anonymous-auth": "false",
        "authentication-token-webhook": "true",
        "authorization-mode": "Webhook",
        "cert-dir": str(paths.AGENT / "kubelet"),
        "cgroup-driver": "cgroupfs",
        "cgroups-per-qos": "false",
        "client-ca-file": str(ca_file),
        "cluster-domain": "cluster.local",
        "container-runtime": "docker",
        "enforce-node-allocatable": "",
        "eviction-hard": "",
        "fail-swap-on": "false",
        "hostname-override": name,
        # Nine kubelets share one box's disk and cores: look at the containers less often, never collect images.
        "housekeeping-interval": "30s",
        "image-gc-high-threshold": "100",
        "kubeconfig": str(kubeconfig),
        "node-ip": address,
        "oom-score-adj": "0",
        "pod-infra-container-image": pause_image,
        "read-only-port": "0",
    }


def kube_proxy(*, kubeconfig: Path, name: str, cluster_cidr: str) -> dict[str, str]:
    """A machine that is a container may not set the kernel's conntrack limits, so they are left as they are."""
    return {
        "cluster-cidr": cluster_cidr,
        "conntrack-max-per-core": "0",
        "conntrack-tcp-timeout-close-wait": "0",
        "conntrack-tcp-timeout-established": "0",
        "healthz-bind-address": "127.0.0.1",
        "hostname-override": name,
        "kubeconfig": str(kubeconfig),
        "metrics-bind-address": "127.0.0.1",
        "oom-score-adj": "0",
        "proxy-mode": "iptables",
    }
