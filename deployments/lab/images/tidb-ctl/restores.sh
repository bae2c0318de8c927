# Restore objects: made by a command, worked on by the pod's first process, as an operator does.
resource=restores.pingcap.com

# The status that kubectl prints: nothing before the work has begun, `absent` where there is no such object.
phase_of() {
    object=$(kubectl get "$resource" "$1" -n "$platform" --ignore-not-found -o 'jsonpath={.kind} {.status.phase}')
    if [ -n "$object" ]; then echo "${object#Restore }"; else echo absent; fi
}

unfinished() {
    listed=$(kubectl get "$resource" -n "$platform" --sort-by=.metadata.creationTimestamp \
        -o 'jsonpath={range .items[*]}{.metadata.name}={.status.phase}{"\n"}{end}')
    echo "$listed" | sed -n -e '/=Complete$/d' -e '/=Failed$/d' -e 's/=.*//p'
}

restore() {
    need_patch
    [ -d "$lake/$name" ] || die "$name is not loaded; type: /tidb-ctl.sh load --name=$name"
    phase=$(phase_of "$name")
    [ "$phase" = absent ] || die "a restore named $name exists; rm-backup removes it, and load loads it again"
    busy=$(unfinished)
    [ -z "$busy" ] || die "restore $busy is not finished; wait until it is Complete or Failed"
    kubectl create -f - << END
{"apiVersion": "pingcap.com/v1alpha1", "kind": "Restore", "metadata": {"name": "$name", "namespace": "$platform"},
 "spec": {"backupType": "full", "br": {"cluster": "tidb", "clusterNamespace": "$platform"}, "local": {"prefix": "$name"}}}
END
    kill -USR1 1
}

# Every restore that has not ended is done, the oldest first; also one that a pod before this one left half done.
work() {
    names=$(unfinished)
    for name in $names; do
        began=$(now)
        running=$(condition Running RestoreStarted "restoring $name")
        report "\"phase\": \"Running\", \"timeStarted\": \"$began\", \"conditions\": [$running]"
        # A process of its own, or `set -e` would not hold in it.
        if said=$("$0" apply "--name=$name" 2>&1); then
            ended Complete RestoreComplete "restored $name"
        else
            ended Failed RestoreFailed "$said"
        fi
    done
}

apply() {
    if [ -e "$lake/.slow-restore" ]; then
        seconds=$(cat "$lake/.slow-restore")
        sleep "${seconds:-30}"
    fi
    if [ -e "$lake/.fail-restore" ]; then
        reason=$(cat "$lake/.fail-restore")
        die "${reason:-the restore was made to fail by $lake/.fail-restore}"
    fi
    [ -s "$lake/$name/dump.sql" ] || die "$lake/$name/dump.sql is not there; load the backup again"
    is_whole "$lake/$name/dump.sql" || die "$lake/$name/dump.sql is not complete; load the backup again"
    enter
    forget
    # shellcheck disable=SC2086
    mysql $server < "$lake/$name/dump.sql"
}

ended() {
    last=$(condition "$1" "$2" "$3")
    report "\"phase\": \"$1\", \"timeCompleted\": \"$(now)\", \"conditions\": [$running, $last]"
    echo "restore $name: $1: $(plain "$3")"
}

condition() {
    printf '{"type": "%s", "status": "True", "reason": "%s", "message": "%s", "lastTransitionTime": "%s"}' \
        "$1" "$2" "$(plain "$3")" "$(now)"
}

# The API server may be moving; an object that was deleted meanwhile wants no report.
report() {
    for _ in $(seq 60); do
        said=$(kubectl patch "$resource" "$name" -n "$platform" --type merge -p "{\"status\": {$1}}" 2>&1) && return
        case $said in *NotFound*) return ;; esac
        sleep 2
    done
    die "restore $name: its status can't be written: $said"
}

# The last line of what was said, as it may stand between quotes.
plain() {
    printf '%s\n' "$1" | tail -n 1 | tr -d '"\\' | tr '\t\r' '  ' | cut -c 1-400 | sed 's/^tidb-ctl.sh: //'
}

now() {
    date -u +%Y-%m-%dT%H:%M:%SZ
}
