# shellcheck shell=bash
# Sourced by the image's entry point, once, while the data folder is new: two databases, and who may do what in them.
# The same rights as in lab/accounts.py, but here the service only reads and writes rows; its tables are made by `migrate`.

password_in_url() {
    local password
    password=$(sed -E 's|^[^:]+://[^:]+:([^@]*)@.*$|\1|' "/run/secrets/$1")
    checked_password "$1" "$password"
}

password_in_file() {
    checked_password "$1" "$(cat "/run/secrets/$1")"
}

checked_password() {
    case $2 in
        '' | *[!A-Za-z0-9._~-]*)
            echo "secret $1: a password here is letters, digits and . _ ~ - only, so that it can stand in a URL" >&2
            exit 1
            ;;
    esac
    printf %s "$2"
}

orders=$(password_in_url orders_database_url)
catalog=$(password_in_url catalog_database_url)
migrations=$(password_in_url migrations_orders_database_url)
dbz=$(password_in_file dbz_password)
sink=$(password_in_file sink_password)

# A table that is not there yet can be named only together with the right to make it: hence GRANT CREATE, REVOKE CREATE.
docker_process_sql --database=mysql <<SQL
SET sql_log_bin = 0;
CREATE DATABASE orders;
CREATE DATABASE catalog;
CREATE DATABASE mydb;

CREATE USER orders@'%' IDENTIFIED BY '$orders';
GRANT SELECT, INSERT, UPDATE, DELETE ON orders.* TO orders@'%';
CREATE USER catalog@'%' IDENTIFIED BY '$catalog';
GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.* TO catalog@'%';

CREATE USER migrations@'%' IDENTIFIED BY '$migrations';
GRANT ALL ON orders.* TO migrations@'%';
GRANT ALL ON catalog.* TO migrations@'%';

CREATE USER dbz@'%' IDENTIFIED BY '$dbz';
GRANT REPLICATION SLAVE, BINLOG MONITOR, RELOAD ON *.* TO dbz@'%';
GRANT SELECT, CREATE ON orders.outbox TO dbz@'%';
REVOKE CREATE ON orders.outbox FROM dbz@'%';

CREATE USER sink@'%' IDENTIFIED BY '$sink';
GRANT SELECT, INSERT, UPDATE, CREATE ON mydb.orders TO sink@'%';
REVOKE CREATE ON mydb.orders FROM sink@'%';
SQL

if grep -q '^wsrep_on' /etc/mysql/conf.d/orders.cnf; then
    # For a cluster: `health` is for the proxy and the health checks; `mysql` copies the data for a new node.
    docker_process_sql --database=mysql <<SQL
SET sql_log_bin = 0;
CREATE USER health@'%';
CREATE USER IF NOT EXISTS mysql@localhost IDENTIFIED VIA unix_socket;
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR ON *.* TO mysql@localhost;
SQL
fi
