#!/bin/sh
# Stands in for the vendor's installer: writes a unit, its environment and an uninstaller, then starts the unit, but not
# where nothing has changed.
S=$R/.state
test ! -e "$S/installer-fails" || { cat "$S/installer-fails" >>"$S/journal"; exit 1; }
# As the real one reads it: everything but quotes, blanks and slashes is escaped.
# shellcheck disable=SC2046
eval set -- $(printf '%s' "$INSTALL_K3S_EXEC" | sed -e 's/\([][!#$%&()*;<=>?\_`{|}]\)/\\\1/g;')
case $INSTALL_K3S_EXEC in server*) unit=k3s ;; *) unit=k3s-agent ;; esac
units=$R/etc/systemd/system
before=$(cat "$units/$unit.service" "$units/$unit.service.env" 2>/dev/null || true)
mkdir -p "$units" "$S/units/$unit" "$R/usr/local/bin"
printf '[Service]\nEnvironmentFile=/etc/systemd/system/%s\nExecStart=/usr/local/bin/k3s %s\n' "$unit.service.env" "$*" >"$units/$unit.service"
printf '%s\n' "$@" >"$S/$unit-words"
for name in K3S_TOKEN K3S_AGENT_TOKEN K3S_URL K3S_DATASTORE_ENDPOINT K3S_DATASTORE_CAFILE K3S_DATASTORE_CERTFILE K3S_DATASTORE_KEYFILE; do
    eval "value=\$$name"
    # shellcheck disable=SC2154  # eval has set it
    test -z "$value" || printf "%s='%s'\n" "$name" "$value"
done >"$units/$unit.service.env"
env | grep -E -i '^(NO|HTTP|HTTPS)_PROXY' | sort >>"$units/$unit.service.env"  # as v1.20.8 does
chmod 600 "$units/$unit.service.env"
cp "$R/opt/k3s/vendor/k3s-uninstall.sh" "$R/usr/local/bin/$unit-uninstall.sh"
echo enabled >"$S/units/$unit/enabled"
test "$before" = "$(cat "$units/$unit.service" "$units/$unit.service.env")" || echo active >"$S/units/$unit/active"
