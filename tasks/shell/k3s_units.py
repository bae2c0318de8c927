"""The units that run k3s on a machine; with INSTALL_K3S_NAME=prod the installer calls one k3s-prod."""

from __future__ import annotations

# A server's unit is the one that runs, or else the first. Its last ExecStart counts, drop-ins included, and of its variables
# those of files.
UNITS = r"""
k3s_units() {
    { printf 'k3s\nk3s-agent\n'
      grep -lsE '^ExecStart=[^ ]*/k3s([ \\]|$)' /etc/systemd/system/k3s*.service | sed 's,.*/,,; s/\.service$//'; } | sort -u
}
started() { systemctl cat "$1" | awk '/^ExecStart=/ {text = ""; on = 1} on {text = text $0 "\n"; on = /\\$/} END {printf "%s", text}'; }
variables() {
    local file text=$(systemctl cat "$1" | sed -e ':a' -e '/\\$/{N;s/\\\n/ /;ba' -e '}')
    grep '^Environment=' <<<"$text"
    sed -n 's/^EnvironmentFile=-\{0,1\}//p' <<<"$text" | while read -r file; do grep -hs '^[A-Za-z_][A-Za-z0-9_]*=' $file; done
}
server_unit() {
    local unit first=
    for unit in $(k3s_units); do
        [[ "$(started "$unit" | tr -s "\\\\\n\t'\"" ' ') " == */k3s\ server\ * ]] || continue
        first=${first:-$unit}
        ! systemctl is-active "$unit" >/dev/null || { echo "$unit"; return; }
    done
    echo "${first:-k3s}"
}
config_file() {
    local given=$({
        started "$k3s_unit" | tr -s "\\\\=\n\t'\" " '\n' | awk 'before ~ /^(--config|-c)$/ {print} {before = $0}'
        variables "$k3s_unit" | sed -nE "s/.*\bK3S_CONFIG_FILE=[\"']?([^\"' ]+).*/\1/p"
    } | tail -n 1)
    echo "${given:-/etc/rancher/k3s/config.yaml}"
}
{ k3s_unit=$(server_unit); k3s_config=$(config_file); } 2>/dev/null </dev/null
"""
"""Shell: functions about k3s's units, and of a server `k3s_unit` and `k3s_config`, its unit and its configuration file."""
