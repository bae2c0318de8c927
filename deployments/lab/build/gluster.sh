#!/bin/bash
# Make a tree with GlusterFS, server and client, as Debian packages it for the machines' release.
#
#   gluster.sh OUT_DIR WORK_DIR ROOTFS
#
# After it, OUT_DIR holds the files of glusterfs-server and of all it needs that ROOTFS does not have (about 25 MB), below
# usr, etc and var. apt's own lists and sources on this machine stay as they are, no package is installed. WORK_DIR is removed.
set -euo pipefail
out=$1 work=$2 rootfs=$3
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" {print $1; exit}')
rm -rf "$work" "$out.building"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/parts" "$work/stage"
cp "$rootfs/var/lib/dpkg/status" "$work/status"
echo "deb $mirror bookworm main" > "$work/sources.list"

fetch() {
    apt-get -qq \
        -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::Lists=$work/lists" \
        -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o APT::Sandbox::User=root "$@"
}
fetch update
fetch install --yes --no-install-recommends --download-only glusterfs-server
for package in "$work"/archives/*.deb; do
    dpkg-deb -x "$package" "$work/stage"
done

# The root file system has links in these places; a folder of that name in a layer above would hide everything below it.
for folder in bin sbin lib lib64; do
    test ! -d "$work/stage/$folder" || { cp -a "$work/stage/$folder/." "$work/stage/usr/$folder/" && rm -r "$work/stage/$folder"; }
done
rm -rf "$work/stage/usr/share/doc" "$work/stage/usr/share/man"
test -x "$work/stage/usr/sbin/glusterd" && test -x "$work/stage/usr/sbin/mount.glusterfs"
mv "$work/stage" "$out.building"
rm -rf "$out" "$work"
mv "$out.building" "$out"
