#!/bin/bash
# Stands in for the vendor's uninstaller, of servers and of agents.
test ! -e "$R/.state/uninstaller-fails" || exit 1
rm -rf "$R"/.state/units/k3s* "$R"/etc/systemd/system/k3s* "$R"/etc/rancher/k3s "$R"/var/lib/rancher/k3s "$R"/var/lib/kubelet
rm -f "$R"/usr/local/bin/k3s "$R"/usr/local/bin/k3s*-uninstall.sh
: >"$R/.state/processes"
