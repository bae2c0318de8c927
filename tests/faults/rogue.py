"""What an earlier release did to a platform: a server that joined with another token, and founded a second cluster."""

from __future__ import annotations

from deployments.lab import sources
from tests.lab import world

INSTALL = """
/usr/local/bin/k3s-agent-uninstall.sh > /dev/null 2>&1
install -m 755 /opt/k3s/vendor/k3s /usr/local/bin/k3s
export INSTALL_K3S_SKIP_DOWNLOAD=true K3S_TOKEN={token} {datastore}
export INSTALL_K3S_EXEC='server --node-name {host} --https-listen-port 10443 --docker {without}'
sh /opt/k3s/vendor/install-k3s.sh > /dev/null
"""


def found_second_cluster(host: str) -> None:
    """Join `host` with the full token that the servers hand out; they themselves were started with none."""
    token = world.on("vm-1", "cat /var/lib/rancher/k3s/server/token").strip()
    without = " ".join(f"--disable={addon}" for addon in sources.disabled())
    world.on(host, INSTALL.format(token=token, datastore=sources.datastore(), host=host, without=without))
    assert len(world.identities("vm-1")) == 2
