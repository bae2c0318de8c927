#!/bin/sh
# The TiDB stand-in: MariaDB on /data, MySQL protocol on 3306. On an empty /data it makes the database `wacos`, the user
# `wacos`, and root's password, from the files of /secrets; they go through pipes, never into an argument or a file.
set -eu
tables() {
    printf 'CREATE DATABASE mysql;\nUSE mysql;\n'
    cat /usr/share/mysql/mysql_system_tables.sql /usr/share/mysql/mysql_performance_tables.sql \
        /usr/share/mysql/mysql_system_tables_data.sql /usr/share/mysql/maria_add_gis_sp_bootstrap.sql
}
users() {
    printf "FLUSH PRIVILEGES;\n"
    printf "CREATE DATABASE wacos CHARACTER SET utf8mb4;\n"
    printf "CREATE USER 'root'@'%%' IDENTIFIED BY '%s';\n" "$(cat /secrets/root)"
    printf "GRANT ALL ON *.* TO 'root'@'%%' WITH GRANT OPTION;\n"
    printf "CREATE USER 'wacos'@'%%' IDENTIFIED BY '%s';\n" "$(cat /secrets/wacos)"
    printf "GRANT ALL ON wacos.* TO 'wacos'@'%%';\n"
}
sizes="--innodb-buffer-pool-size=32M --innodb-log-file-size=16M --innodb-use-native-aio=0 --performance-schema=OFF"
options="--no-defaults --user=root --lc-messages-dir=/usr/share/mysql --character-sets-dir=/usr/share/mysql/charsets $sizes"
# shellcheck disable=SC2086  # options are words
if [ ! -d /data/mysql ]; then
    # Made beside and moved in, the folder that is looked for last: a start that was cut off leaves nothing half made.
    rm -rf /data/initialising
    mkdir /data/initialising
    { tables; users; } | mariadbd $options --datadir=/data/initialising --bootstrap
    mv /data/initialising/mysql /data/mysql.made
    mv /data/initialising/* /data/
    mv /data/mysql.made /data/mysql
    rmdir /data/initialising
fi
# shellcheck disable=SC2086
# Probes that only connect count as errors, and after 100 of them the server would shut that host out.
# The time zone is the platform's: a TiDB keeps over restarts what was set once.
exec mariadbd $options --datadir=/data --port=3306 --socket=/run/mysqld.sock --skip-name-resolve \
    --character-set-server=utf8mb4 --default-time-zone=+08:00 \
    --max-connections=200 --max-connect-errors=1000000000 --log-warnings=1
