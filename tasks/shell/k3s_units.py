"""The units that run k3s on a machine; with INSTALL_K3S_NAME=prod the installer calls one k3s-prod."""

from __future__ import annotations

# A server's unit is the one that runs, or else the first. Its last ExecStart counts, drop-ins included, and of its variables
# those of files. Of each unit systemd is asked once, and what it says is read by the shell itself: a program for every line
# of it would cost more than all else.
UNITS = r"""
read_unit() {
    local line whole='' file files=() lines words
    k3s_started='' k3s_variables=''
    while IFS= read -r line || test -n "$line$whole"; do
        [[ ! $line =~ ^[[:blank:]]*[#\;] ]] || continue
        whole+=${line%\\}
        case $line in *\\) whole+=' '; continue ;; esac
        # shellcheck disable=SC2206  # a pattern is one for systemd, too
        case $whole in
        ExecStart=*) k3s_started=$whole ;;
        Environment=*) k3s_variables+=$whole$'\n' ;;
        EnvironmentFile=*) file=${whole#*=}; files+=(${file#-}) ;;
        esac
        whole=''
    done < <(systemctl cat "$1")
    read -ra words <<<"${k3s_started//[\\\'\"]/ }"
    k3s_started=${words[*]}
    for file in "${files[@]}"; do
        lines=()
        mapfile -t lines <"$file"
        for line in "${lines[@]}"; do [[ ! $line =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || k3s_variables+=$line$'\n'; done
    done
}
find_units() {
    local file unit text runs=$'\nExecStart=[^ \n]*/k3s([ \\\n]|$)'
    k3s_units=(k3s k3s-agent)
    for file in /etc/systemd/system/k3s*.service; do
        unit=${file##*/} unit=${unit%.service} text=''
        case $unit in k3s | k3s-agent) continue ;; esac
        IFS= read -rd '' text <"$file"
        [[ ! $'\n'$text =~ $runs ]] || k3s_units+=("$unit")
    done
}
find_server() {
    local unit option='.* (--config|-c)[= ]([^ =]+)' variable=$'(^|.*[^A-Za-z0-9_])K3S_CONFIG_FILE=["\']?([^"\' \n]+)'
    k3s_unit='' k3s_config=/etc/rancher/k3s/config.yaml
    for unit in "${k3s_units[@]}"; do
        read_unit "$unit"
        [[ "$k3s_started " == */k3s\ server\ * ]] || continue
        k3s_unit=${k3s_unit:-$unit}
        ! systemctl is-active "$unit" >/dev/null || { k3s_unit=$unit; break; }
    done
    k3s_unit=${k3s_unit:-k3s}
    test "$unit" = "$k3s_unit" || read_unit "$k3s_unit"
    if [[ $k3s_variables =~ $variable || $k3s_started =~ $option ]]; then k3s_config=${BASH_REMATCH[2]}; fi
}
{ find_units; find_server; } 2>/dev/null </dev/null
"""
"""Shell: `k3s_units`, the names of k3s's units; `k3s_unit` and `k3s_config`, a server's unit and its configuration file;
`k3s_started` and `k3s_variables`, the words of its ExecStart and, one a line, its variables."""
