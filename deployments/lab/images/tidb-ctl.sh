#!/bin/sh
# The backup console's command, over the MariaDB that stands in for the TiDB. Archives and loaded backups lie in the file
# lake under backup/. As with BR, users, passwords and the time zone are not part of a backup.
set -eu
lake=${BACKUP_FOLDER:-/mnt/uap-global/backup}
platform=iottepa
library=${TIDB_CTL_LIBRARY:-/usr/local/lib/tidb-ctl}
# shellcheck source=deployments/lab/images/tidb-ctl/database.sh
. "$library/database.sh"
# shellcheck source=deployments/lab/images/tidb-ctl/archives.sh
. "$library/archives.sh"
# shellcheck source=deployments/lab/images/tidb-ctl/restores.sh
. "$library/restores.sh"

usage() {
    cat >&2 << END
usage: /tidb-ctl.sh patch-tidb-for-br           the database can be backed up and restored
       /tidb-ctl.sh ls-tar                      archives: name, bytes
       /tidb-ctl.sh backup-and-save             a new archive; prints its name
       /tidb-ctl.sh ls-backup                   loaded backups
       /tidb-ctl.sh rm-backup --name=BACKUP     a loaded backup and its restore are gone; the archive stays
       /tidb-ctl.sh load --name=BACKUP          the archive is unpacked
       /tidb-ctl.sh restore --name=BACKUP       a Restore object is made and worked on; see kubectl get restores.pingcap.com
END
    exit 2
}

die() {
    echo "tidb-ctl.sh: $*" >&2
    exit 1
}

# The backup that --name=BACKUP or --name BACKUP gives: without .tar.gz, and nothing that could leave the folder.
named() {
    case ${1:-} in
        --name=*) name=${1#--name=} ;;
        --name) name=${2:-} ;;
        *) usage ;;
    esac
    case ${name#tidb-backup-} in
        "$name" | '' | *[!0-9-]*) die "--name=$name: a backup's name looks like tidb-backup-20231109" ;;
    esac
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    patch-tidb-for-br) patch_for_br ;;
    ls-tar) ls_tar ;;
    backup-and-save) backup_and_save ;;
    ls-backup) ls_backup ;;
    rm-backup) named "$@"; rm_backup ;;
    load) named "$@"; load ;;
    restore) named "$@"; restore ;;
    # For the pod's own first process: what unfinished Restore objects ask for, and one of them.
    work) work ;;
    apply) named "$@"; apply ;;
    *) usage ;;
esac
