# Written by evenkeel.
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
