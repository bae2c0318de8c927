#!/bin/bash
# Build the one Debian root file system that all nine machines share.
#
#   rootfs.sh OUT_DIR
#
# After it, OUT_DIR is a complete tree (about 900 MB) with systemd, sshd, etcd, keepalived, docker and python3; none of
# the daemons that the platform starts itself is enabled. Built beside OUT_DIR and moved there, so a killed build leaves none.
set -euo pipefail
out=$1
tree=$out.building
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" {print $1; exit}')
packages=(
    systemd systemd-sysv dbus openssh-server iproute2 iputils-ping iputils-arping procps psmisc curl ca-certificates less
    etcd-server etcd-client keepalived docker.io iptables conntrack ethtool socat kmod rsync python3 openssl busybox-static
    chrony util-linux-extra sudo fish csh firewalld libpam-systemd
)

rm -rf "$tree"
debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" bookworm "$tree" "$mirror"

# The platform's own units start these; Debian's must not.
for unit in etcd keepalived docker docker.socket containerd chrony firewalld; do
    systemctl --root="$tree" disable "$unit" 2>/dev/null || true
done
# Two daemons must never keep the box's clock; the machines share the kernel's.
systemctl --root="$tree" mask chrony systemd-timesyncd getty.target console-getty.service 2>/dev/null || true

# polkit, which firewalld needs, asks for it; a user manager for every login would be too much for nine machines on one box.
chroot "$tree" pam-auth-update --package --remove systemd

# One who is not root; which machines let him become root, on which port and as whom they are entered, is on their disks.
chroot "$tree" useradd --create-home --shell /bin/bash --uid 1000 ops

# Root enters by key only.
mkdir -p "$tree/etc/ssh/sshd_config.d"
cat > "$tree/etc/ssh/sshd_config.d/lab.conf" <<SSHD
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxSessions 64
MaxStartups 64:30:128
SSHD
rm -f "$tree"/etc/ssh/ssh_host_*

ln -sf /usr/bin/etcd "$tree/usr/local/bin/etcd"
ln -sf /usr/bin/etcdctl "$tree/usr/local/bin/etcdctl"
mkdir -p "$tree/usr/local/lib/kubernetes" "$tree/mnt/uap-global" "$tree/mnt/disks" "$tree/opt/k3s"
rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/* "$tree"/var/lib/etcd
echo -n > "$tree/etc/machine-id"
rm -rf "$out"
mv "$tree" "$out"
