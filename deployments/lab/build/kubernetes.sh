#!/bin/bash
# Build the real Kubernetes 1.20 binaries from Debian's source package.
#
#   kubernetes.sh OUT_DIR WORK_DIR
#
# After it, OUT_DIR holds kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl.
# WORK_DIR (3 GB) is removed on success. About 8 minutes of CPU on two cores.
set -euo pipefail
out=$1 work=$2

# The machine's own apt sources, read once more as deb-src, so that nothing of the machine's own configuration changes.
fetch_source() {
    mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/src"
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sort -u | while read -r uri release component; do
            echo "deb-src $uri $release $component"
        done > "$work/apt/parts/source.list"
    local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/apt/parts"
                   -o "Dir::State::lists=$work/apt/lists")
    apt-get "${options[@]}" -qq update
    (cd "$work/src" && apt-get "${options[@]}" -qq --download-only source kubernetes/bookworm)
    (cd "$work/src" && dpkg-source --no-check -x ./*.dsc kubernetes > /dev/null)
}

# The tree's own reflect2 knows the maps of Go up to 1.17: built with a later Go, the API server dies of the first custom
# resource that anybody makes. Debian's package of it knows both.
renew_reflect2() {
    local package=golang-github-modern-go-reflect2-dev folder=github.com/modern-go/reflect2
    (cd "$work" && apt-get -qq download "$package" && dpkg -x "$package"_*.deb reflect2)
    rm -rf "$tree/vendor/$folder"
    cp -r "$work/reflect2/usr/share/gocode/src/$folder" "$tree/vendor/$folder"
}

mkdir -p "$out" "$work"
[ -d "$work/src/kubernetes" ] || fetch_source

export GOPATH=$work/go GO111MODULE=off CGO_ENABLED=0 GOCACHE=$work/gocache GOFLAGS=
tree=$GOPATH/src/k8s.io/kubernetes
mkdir -p "$GOPATH/src/k8s.io"
ln -sfn "$work/src/kubernetes" "$tree"
renew_reflect2
cd "$tree"

# kube-apiserver does not compile without its generated openapi file.
make generated_files

# Clients read the version; without these the binaries call themselves v0.0.0.
version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
ldflags="-s -w -X $version.gitVersion=v1.20.2 -X $version.gitMajor=1 -X $version.gitMinor=20 -X $version.gitTreeState=clean"
go build -ldflags "$ldflags" -o "$work/bin/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl}
# New files, not new content in the old ones: machines that run have them mounted.
cp --remove-destination "$work"/bin/* "$out/"
cd /
rm -rf "$work"
