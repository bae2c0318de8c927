# shellcheck disable=SC2086  # the server's options and the databases' names are words
# The database: how it is entered, what of it is backed up, and how it becomes empty.
server='-h mysql.iottepa -P 3306 -u root'
system="'mysql', 'sys', 'information_schema', 'performance_schema'"
volume=uap-global

# root's password is the platform's; between a restore and the platform's initialisation there is none. It goes by
# environment, never into an argument.
enter() {
    MYSQL_PWD=$(cat /secrets/root)
    export MYSQL_PWD
    said=$(mysql $server -e 'SELECT 1' 2>&1) && return
    MYSQL_PWD=
    mysql $server -e 'SELECT 1' > /dev/null 2>&1 || die "the database at mysql.iottepa does not let root in: $said"
}

ask() {
    mysql $server -N -B -e "$1"
}

# As in the field, TiKV gets the file lake's volume for BR in TiDB Operator's object (from its 1.1.8 on). No operator reads it
# here: the object comes with the patch.
patch_for_br() {
    if is_patched; then
        echo 'already patched'
    else
        kubectl apply -f - > /dev/null << END
{"apiVersion": "pingcap.com/v1alpha1", "kind": "TidbCluster", "metadata": {"name": "tidb", "namespace": "$platform"},
 "spec": {"tikv": {
   "additionalVolumes": [{"name": "$volume", "glusterfs": {"endpoints": "glusterfs-cluster", "path": "$volume"}}],
   "additionalVolumeMounts": [{"name": "$volume", "mountPath": "/mnt/$volume"}]}}}
END
        echo "patched: tidbcluster tidb in $platform"
    fi
}

is_patched() {
    found=$(kubectl get tidbclusters.pingcap.com tidb -n "$platform" --ignore-not-found \
        -o 'jsonpath={.spec.tikv.additionalVolumeMounts[*].name}') || exit 1
    [ "$found" = "$volume" ]
}

need_patch() {
    is_patched || die "TiDB is not patched for BR; type: /tidb-ctl.sh patch-tidb-for-br"
}

# A dump is whole only with its last line, whatever mysqldump's exit status says.
is_whole() {
    tail -n 1 "$1" | grep -q 'Dump completed'
}

dump() {
    names=$(ask "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ($system) ORDER BY 1")
    [ -n "$names" ] || die "there is no database to back up"
    mysqldump $server --single-transaction --routines --triggers --add-drop-database --databases $names > "$1" ||
        die "the dump failed"
    is_whole "$1" || die "the dump is not complete"
}

# The database is as a new one: BR restores into an empty cluster, which has a root without a password and nothing else.
forget() {
    users=$(ask "SELECT CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host), ';') FROM mysql.user
        WHERE user NOT IN ('root', 'mariadb.sys')")
    ask "$users ALTER USER 'root'@'%' IDENTIFIED BY ''; SET GLOBAL time_zone = 'SYSTEM';"
    MYSQL_PWD=
    # Whoever was in before would hold on to what is dropped next. One that has just left is no error.
    others=$(ask "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist
        WHERE id <> CONNECTION_ID() AND user <> 'system user'")
    echo "$others" | mysql $server --force 2> /dev/null || true
    databases=$(ask "SELECT CONCAT('DROP DATABASE \`', schema_name, '\`;') FROM information_schema.schemata
        WHERE schema_name NOT IN ($system)")
    ask "$databases"
}
