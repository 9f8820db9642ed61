#!/bin/bash
# The entry point of MariaDB. For a node of a Galera cluster it also decides whether the node bootstraps the cluster.
#
#   docker compose run --rm --no-deps mariadb position      what the node has, to compare it with the others
#   docker compose run --rm --no-deps mariadb bootstrap     the node bootstraps the cluster when it starts next
set -eu
data=/var/lib/mysql
state=$data/grastate.dat
no_id=00000000-0000-0000-0000-000000000000

noted() { sed -n "s/^$1: *//p" $state 2>/dev/null; }

# UUID:SEQNO of the last transaction. After a crash only the tables know it, and the server has to be asked.
position() {
    local id number
    id=$(noted uuid)
    number=$(noted seqno)
    if [ -z "$id" ] || [ "$id" = $no_id ]; then
        return
    elif [ "$number" != -1 ]; then
        echo "$id:$number"
    else
        mariadbd "$@" --wsrep-recover 2>&1 | sed -n 's/.*Recovered position: *//p' | tail -n 1
    fi
}

# Whether another node is in a cluster that can commit, which this one must join.
cluster_exists() {
    local host said
    for _ in 1 2 3; do
        for host in mariadb mariadb-2 mariadb-3; do
            [ "$host" != "$HOSTNAME" ] || continue
            said=$(timeout 5 bash /ask.sh "$host" wsrep_cluster_status) || continue
            [ "$said" != Primary ] || return 0
        done
        sleep 2
    done
    return 1
}

if grep -q '^wsrep_on' /etc/mysql/conf.d/orders.cnf; then
    case ${1:-} in
        position)
            shift
            position "$@" | grep . || echo "this node has no data"
            exit
            ;;
        bootstrap)
            touch $data/bootstrap
            echo "this node bootstraps the cluster when it starts next"
            exit
            ;;
    esac
    at=$(position "$@")
    if [ -n "$at" ]; then
        set -- "$@" --wsrep-start-position="$at"
    fi
    if [ -e $data/bootstrap ]; then
        rm $data/bootstrap
        [ ! -s $state ] || sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' $state
        set -- "$@" --wsrep-new-cluster
    elif [ -n "$at" ] && [ "$(noted safe_to_bootstrap)" = 1 ] && ! cluster_exists; then
        # It was the last node that stopped, so no other one has more.
        set -- "$@" --wsrep-new-cluster
    fi
fi
exec docker-entrypoint.sh "$@"
