#!/bin/bash
# Inside a root file system of its own: users of every kind, and an sshd for every odd setting, until it is killed.
#
#   odd.sh PUBLIC_KEY PORTS_FROM
set -euo pipefail
key=$1 port=$2

person() {  # NAME SHELL: logs in by the key, and has a password
    useradd --create-home --shell "$2" "$1"
    echo "$1:pass of $1" | chpasswd
    install -d -o "$1" -m 700 "/home/$1/.ssh"
    install -o "$1" -m 600 "$key" "/home/$1/.ssh/authorized_keys"
}
sudoer() { echo "$1 ALL=(ALL) $2ALL" >"/etc/sudoers.d/$1"; }

echo 'Defaults logfile=/var/log/sudo.log, loglinelen=0' >/etc/sudoers.d/ek-logged
person ek-asked /bin/bash; sudoer ek-asked ''
person ek-free /bin/bash; sudoer ek-free NOPASSWD:
person ek-stranger /bin/bash
person ek-some /bin/bash; echo 'ek-some ALL=(ALL) NOPASSWD:/usr/bin/true' >/etc/sudoers.d/ek-some
person ek-tty /bin/bash; sudoer ek-tty NOPASSWD:; echo 'Defaults:ek-tty requiretty' >>/etc/sudoers.d/ek-tty
person ek-pty /bin/bash; sudoer ek-pty ''; echo 'Defaults:ek-pty use_pty, passwd_tries=1' >>/etc/sudoers.d/ek-pty
person ek-fish /usr/bin/fish; sudoer ek-fish ''
person ek-csh /bin/csh; sudoer ek-csh ''
person ek-sh /bin/dash; sudoer ek-sh NOPASSWD:
person ek-rbash /bin/rbash
person ek-nologin /usr/sbin/nologin
person ek-forced /bin/bash
sed -i 's/^/command="echo Please log in as the user admin." /' /home/ek-forced/.ssh/authorized_keys
person ek-greets /bin/bash; sudoer ek-greets NOPASSWD:
printf '%s\n' "echo '欢迎登录 生产服务器，您的操作将被审计'" "echo 'stderr, too' >&2" "printf '\\033[33mhello\\033[0m '" \
    "PATH=/usr/bin:/bin" "export LC_ALL=zh_CN.UTF-8 LANGUAGE=zh_CN" >/home/ek-greets/.bashrc
person ek-waits /bin/bash
echo 'read -r -p "Accept the terms of use? " answer' >/home/ek-waits/.bashrc
install -d -m 700 /root/.ssh
install -m 600 "$key" /root/.ssh/authorized_keys
printf '欢迎\nAuthorised use only.\n' >/etc/ssh/greeting
install -d -m 755 /run/sshd
for kind in ed25519 ecdsa rsa; do
    rm -f "/etc/ssh/ssh_host_${kind}_key"; ssh-keygen -q -N '' -t $kind -f "/etc/ssh/ssh_host_${kind}_key"
done

for name in env timeout cat sleep seq pgrep tr; do install -D -t /opt/without-sudo "$(command -v $name)"; done
ln -s /bin/bash /opt/without-sudo/bash
install -D -t /opt/without-bash /usr/bin/env
rm -f /root/.bashrc

serve() {  # SETTING...: one more sshd, on the next port
    printf '%s\n' "$@" 'UsePAM no' 'UseDNS no' 'StrictModes no' 'PasswordAuthentication yes' 'PermitRootLogin prohibit-password' 'Banner /etc/ssh/greeting' \
        'LogLevel DEBUG' "PidFile none" "ListenAddress 127.0.0.1:$port" >"/etc/ssh/odd_$port"
    /usr/sbin/sshd -f "/etc/ssh/odd_$port" -E "/var/log/odd_$port"
    port=$((port + 1))
}
serve
serve 'MaxSessions 1'
serve 'PermitRootLogin no'
serve 'AllowTcpForwarding no'
serve 'HostKeyAlgorithms ssh-rsa' 'HostKey /etc/ssh/ssh_host_rsa_key'
serve 'KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group14-sha1'
serve 'MaxAuthTries 2'
serve 'MaxSessions 0'
serve 'HostKey /etc/ssh/ssh_host_rsa_key'
serve 'PasswordAuthentication no' 'KbdInteractiveAuthentication yes' 'UsePAM yes'
serve 'SetEnv PATH=/opt/without-sudo'
serve 'SetEnv PATH=/opt/without-bash'
serve 'PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519'
echo ready
exec sleep infinity
