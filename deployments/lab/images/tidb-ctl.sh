#!/bin/sh
# The backup console's command, over the MariaDB that stands in for the TiDB. Archives lie in the file lake under
# backup/. As with BR, users and passwords are not part of a backup. root's password comes from /secrets, by environment.
set -eu
lake=${BACKUP_FOLDER:-/mnt/uap-global/backup}
server='-h mysql.iottepa -P 3306 -u root'

die() {
    echo "tidb-ctl.sh: $*" >&2
    exit 1
}

archives() {
    find "$lake" -maxdepth 1 -name 'tidb-backup-*.tar.gz' 2> /dev/null | sort
}

ls_tar() {
    archives | while read -r archive; do
        echo "$(basename "$archive") $(stat -c %s "$archive")"
    done
}

# A second backup on one day gets a name of its own; the first is never overwritten.
free_name() {
    name=tidb-backup-$(date +%Y%m%d) number=2
    while [ -e "$lake/$name.tar.gz" ]; do
        name=tidb-backup-$(date +%Y%m%d)-$number number=$((number + 1))
    done
    echo "$name"
}

databases() {
    mysql $server -N -B -e "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN
        ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY schema_name"
}

backup_and_save() {
    MYSQL_PWD=$(cat /secrets/root)
    export MYSQL_PWD
    mkdir -p "$lake"
    name=$(free_name)
    partial=$lake/.$name.partial
    trap 'rm -rf "$partial" "$partial.tar.gz"' EXIT
    mkdir -p "$partial/$name"
    names=$(databases) || die "the database at mysql.iottepa does not answer; look at pod tidb-0 in iottepa"
    [ -n "$names" ] || die "there is no database to back up"
    # A dump is whole only with its last line, whatever mysqldump's exit status says.
    mysqldump $server --single-transaction --routines --triggers --databases $names > "$partial/$name/dump.sql"
    tail -n 1 "$partial/$name/dump.sql" | grep -q 'Dump completed' || die "the dump is not complete"
    tar -czf "$partial.tar.gz" -C "$partial" "$name"
    gzip -t "$partial.tar.gz"
    mv "$partial.tar.gz" "$lake/$name.tar.gz"
    echo "$name.tar.gz"
}

case ${1:-} in
    ls-tar) ls_tar ;;
    backup-and-save) backup_and_save ;;
    *) die "usage: /tidb-ctl.sh ls-tar | backup-and-save" ;;
esac
