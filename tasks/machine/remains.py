"""What is left of an old platform on a machine: one question, which the probe and the verification of the uninstall share."""

from __future__ import annotations

# A unit's ExecStart with its continuation lines, an environment file and config.yaml, as words; `--data-dir=X` is two of them.
_STARTED_WITH = r"sed -n '/^ExecStart=/{:a;p;/\\$/!b;n;ba}' /etc/systemd/system/k3s*.service"
_CONFIGS = "/etc/systemd/system/k3s*.service.env /etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.d/*.yaml"
PRELUDE = rf"""
data_dirs() {{
    {{
        echo --data-dir /var/lib/rancher/k3s
        {_STARTED_WITH}
        grep -hsE '^ *(K3S_DATA_DIR|data-dir)' {_CONFIGS}
    }} 2>/dev/null | tr -s "\\\\=\n\t'\" " '\n' |
        awk 'before ~ /^(--data-dir|-d|K3S_DATA_DIR|data-dir:)$/ && /^\/./ && !seen[$0]++ {{print}} {{before = $0}}'
}}
"""
"""Shell: `data_dirs` prints where k3s keeps its data there, the default first; paths with blanks are not known to it."""
