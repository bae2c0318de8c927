#!/bin/bash
# Make a tree with the etcd of another Debian release than the machines'.
#
#   etcd.sh OUT_DIR WORK_DIR RELEASE VERSION
#
# After it, OUT_DIR holds usr/bin/etcd and usr/bin/etcdctl, VERSION.x, and nothing else (about 40 MB). apt's own lists
# and sources on this machine stay as they are, no package is installed. WORK_DIR is removed.
set -euo pipefail
out=$1 work=$2 release=$3 version=$4
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" {print $1; exit}')
rm -rf "$work" "$out.building"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/parts" "$work/stage" "$out.building/usr/bin"
: > "$work/status"
echo "deb $mirror $release main" > "$work/sources.list"

fetch() {
    apt-get -qq \
        -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::Lists=$work/lists" \
        -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o APT::Sandbox::User=root "$@"
}
cd "$work"
fetch update
fetch download etcd-server etcd-client
for package in ./*.deb; do
    dpkg-deb -x "$package" stage
done

# They run on this machine's libc, which is the machines': a newer release's could ask for more than that has.
has=$(stage/usr/bin/etcd --version)
[[ $has == "etcd Version: $version."* ]] || { echo "etcd of $release: ${has%%$'\n'*}, expected $version" >&2; exit 1; }
cp -a stage/usr/bin/etcd stage/usr/bin/etcdctl "$out.building/usr/bin/"
cd /
rm -rf "$out" "$work"
mv "$out.building" "$out"
