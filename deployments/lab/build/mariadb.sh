#!/bin/bash
# Make a small tree that runs MariaDB, from Debian's packages.
#
#   mariadb.sh OUT_DIR WORK_DIR
#
# After it, OUT_DIR holds mariadbd, the clients mysql and mysqldump, what they need to run and to start an empty
# database, and nothing else (about 60 MB). No package is installed on this machine. WORK_DIR is removed.
set -euo pipefail
out=$1 work=$2
rm -rf "$out" "$work"
mkdir -p "$work/archives/partial" "$work/stage" "$out"
: > "$work/status"

# An empty package status makes apt fetch every dependency, whatever this machine has installed.
apt-get -qq -y --no-install-recommends --download-only \
    -o "Dir::State::status=$work/status" -o "Dir::Cache::archives=$work/archives" -o Debug::NoLocking=1 \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    install mariadb-server-core mariadb-client-core mariadb-client
for package in "$work"/archives/*.deb; do
    dpkg -x "$package" "$work/stage"
done

cd "$work/stage"
libraries=lib/x86_64-linux-gnu:usr/lib/x86_64-linux-gnu
copy() {
    mkdir -p "$out/$(dirname "$1")"
    cp -aL "$1" "$out/$1"
}
for program in usr/sbin/mariadbd usr/bin/mariadb usr/bin/mariadb-dump; do
    copy "$program"
    lib64/ld-linux-x86-64.so.2 --library-path "$libraries" --list "$program" | awk '$3 ~ /^(usr\/)?lib\// {print $3}'
done | sort -u | while read -r library; do
    copy "$library"
done
copy lib64/ld-linux-x86-64.so.2
for name in charsets english $(cd usr/share/mysql && ls -- *.sql); do
    mkdir -p "$out/usr/share/mysql"
    cp -a "usr/share/mysql/$name" "$out/usr/share/mysql/"
done
strip --strip-unneeded "$out/usr/sbin/mariadbd" 2> /dev/null || true
ln -s mariadb "$out/usr/bin/mysql"
ln -s mariadb-dump "$out/usr/bin/mysqldump"
cd /
rm -rf "$work"
