# Archives (tidb-backup-YYYYMMDD.tar.gz) and loaded backups (the same, unpacked) in the file lake.

ls_tar() {
    find "$lake" -maxdepth 1 -type f -name 'tidb-backup-*.tar.gz' 2> /dev/null | sort -t . -k 1,1 | while read -r archive; do
        echo "$(basename "$archive") $(stat -c %s "$archive")"
    done
}

ls_backup() {
    find "$lake" -mindepth 1 -maxdepth 1 -type d -name 'tidb-backup-*' 2> /dev/null | sort | while read -r folder; do
        basename "$folder"
    done
}

# A second backup on one day gets a name of its own; the first is never overwritten.
free_name() {
    day=tidb-backup-$(date +%Y%m%d) number=1
    name=$day
    while [ -e "$lake/$name.tar.gz" ]; do
        number=$((number + 1)) name=$day-$number
    done
    echo "$name"
}

backup_and_save() {
    need_patch
    enter
    mkdir -p "$lake"
    name=$(free_name)
    partial=$lake/.$name.partial
    trap 'rm -rf "$partial" "$partial.tar.gz"' EXIT
    mkdir -p "$partial/$name"
    dump "$partial/$name/dump.sql"
    tar -czf "$partial.tar.gz" -C "$partial" "$name"
    gzip -t "$partial.tar.gz"
    mv "$partial.tar.gz" "$lake/$name.tar.gz"
    if [ -e "$lake/.fail-backup" ]; then spoil "$lake/$name.tar.gz"; fi
    echo "$name.tar.gz"
}

# For rehearsals: a console that reports success for a backup that is none.
spoil() {
    case $(cat "$lake/.fail-backup") in
        missing) rm "$1" ;;
        empty) : > "$1" ;;
        *) truncate -s $(($(stat -c %s "$1") / 2)) "$1" ;;
    esac
}

# Unpacked beside and moved in: a load that was cut off leaves no backup that looks whole.
load() {
    archive=$lake/$name.tar.gz loading=$lake/.$name.loading
    [ -e "$archive" ] || die "there is no archive $name.tar.gz in $lake; ls-tar shows what there is"
    [ ! -e "$lake/$name" ] || die "$name is loaded already; rm-backup removes it"
    said=$(gzip -t "$archive" 2>&1) || die "archive $name.tar.gz is damaged: $said"
    trap 'rm -rf "$loading"' EXIT
    rm -rf "$loading"
    mkdir "$loading"
    said=$(tar -xzf "$archive" -C "$loading" 2>&1) || die "archive $name.tar.gz is damaged: $said"
    [ -s "$loading/$name/dump.sql" ] || die "archive $name.tar.gz is damaged: there is no $name/dump.sql in it"
    mv "$loading/$name" "$lake/$name"
    echo "loaded $name"
}

rm_backup() {
    phase=$(phase_of "$name")
    case $phase in
        absent) [ -e "$lake/$name" ] || die "no loaded backup and no restore named $name; ls-backup shows what there is" ;;
        Complete | Failed) ;;
        *) die "restore $name is ${phase:-about to begin}; wait until it is Complete or Failed" ;;
    esac
    kubectl delete "$resource" "$name" -n "$platform" --ignore-not-found > /dev/null
    rm -rf "${lake:?}/$name"
    echo "removed $name"
}
