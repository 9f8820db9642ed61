# shellcheck shell=bash
# Sourced after accounts.sh, whose functions it uses: the orders database of the second cell.

orders=$(password_in_url orders_1_database_url)
docker_process_sql --database=mysql <<SQL
SET sql_log_bin = 0;
CREATE DATABASE orders_1;
CREATE USER orders_1@'%' IDENTIFIED BY '$orders';
GRANT SELECT, INSERT, UPDATE, DELETE ON orders_1.* TO orders_1@'%';
GRANT ALL ON orders_1.* TO migrations@'%';
SQL
