#!/bin/bash
# Makes a new data folder and runs /docker-entrypoint-initdb.d in it, as the real image does; then serves.
set -eo pipefail
data=/var/lib/mysql

docker_process_sql() {
    MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb --protocol=socket --user=root "$@"
}

process_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "running $file"
        case $file in
            # shellcheck disable=SC1090
            *.sh) . "$file" ;;
            *.sql) docker_process_sql <"$file" ;;
        esac
    done
}

make_data() {
    mariadb-install-db --no-defaults --datadir=$data --auth-root-authentication-method=normal --skip-test-db \
        --skip-log-bin >/dev/null
    "$@" --skip-networking --wsrep-on=OFF &
    local server=$! password=
    until mariadb --protocol=socket --user=root --execute="SELECT 1" >/dev/null 2>&1; do
        kill -0 $server
        sleep 0.1
    done
    password=$(<"$MARIADB_ROOT_PASSWORD_FILE")
    mariadb --protocol=socket --user=root <<SQL
SET sql_log_bin = 0;
ALTER USER root@localhost IDENTIFIED BY '$password';
CREATE USER healthcheck@localhost IDENTIFIED BY 'healthcheck';
CREATE USER healthcheck@'127.0.0.1' IDENTIFIED BY 'healthcheck';
SQL
    export MARIADB_ROOT_PASSWORD=$password
    process_init_files
    unset MARIADB_ROOT_PASSWORD
    kill $server
    wait $server
}

case ${1:-} in -*) set -- mariadbd "$@" ;; esac
[ -d $data/mysql ] || make_data "$@"
exec "$@"
