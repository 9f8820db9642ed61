#!/bin/bash
# The entry point of MariaDB. For a node of a Galera cluster it also decides whether the node bootstraps the cluster.
#
#   docker compose run --rm --no-deps mariadb position      what the node has, to compare it with the others
#   docker compose run --rm --no-deps mariadb bootstrap     the node bootstraps the cluster when it starts next
set -eu
data=/var/lib/mysql
state=$data/grastate.dat
told=$data/bootstrap
no_id=00000000-0000-0000-0000-000000000000
# compose.yaml gives the server these options, and without them it refuses to look.
options=(--server-id=1 --log-bin=binlog --binlog-format=ROW)

noted() { sed -n "s/^$1: *//p" $state 2>/dev/null; }

has_id() { [ "$(noted uuid)" != '' ] && [ "$(noted uuid)" != $no_id ]; }

# The last transaction that the tables have, as UUID:SEQNO. The server's own words if it finds none.
recovered() {
    local said found
    said=$(mariadbd "$@" --wsrep-recover 2>&1) || true
    found=$(sed -n 's/.*Recovered position: *//p' <<<"$said" | tail -n 1)
    if [ -z "$found" ]; then
        echo "$said" >&2
        return 1
    fi
    echo "$found"
}

# The last transaction of this node. After a crash only the tables know it.
position() {
    if [ "$(noted seqno)" != -1 ]; then
        echo "$(noted uuid):$(noted seqno)"
    else
        recovered "$@"
    fi
}

# Whether another node, or the one named in $1 too, is in a cluster that can commit: this node must join that.
cluster_exists() {
    local host said
    for _ in 1 2 3; do
        for host in mariadb mariadb-2 mariadb-3; do
            [ "$host" != "${1-}" ] || continue
            said=$(timeout 5 bash /ask.sh "$host" wsrep_cluster_status) || continue
            [ "$said" != Primary ] || return 0
        done
        sleep 2
    done
    return 1
}

tell_position() {
    if has_id; then
        position "${options[@]}"
    elif [ -d $data/mysql ]; then
        echo "in doubt, for it was killed while tables were changed or copied: $(recovered "${options[@]}")"
    else
        echo "this node has no data"
    fi
}

prepare_bootstrap() {
    if cluster_exists; then
        echo "a cluster exists: start this node, and it joins" >&2
        exit 1
    fi
    touch $told
    echo "This node bootstraps the cluster when it starts next. All others then get its data: $(tell_position)"
}

if grep -q '^wsrep_on' /etc/mysql/conf.d/orders.cnf; then
    case ${1:-} in
        position)
            tell_position
            exit
            ;;
        bootstrap)
            prepare_bootstrap
            exit
            ;;
        -*)
            if has_id; then
                at=$(position "$@")
                set -- "$@" --wsrep-start-position="$at"
            fi
            # It was told so, and has had no state since then; or it was the last node that stopped, so none has more.
            if [ $told -nt $state ] || { has_id && [ "$(noted safe_to_bootstrap)" = 1 ]; }; then
                if cluster_exists "$HOSTNAME"; then
                    rm -f $told
                else
                    [ ! -s $state ] || sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' $state
                    set -- "$@" --wsrep-new-cluster
                fi
            elif ! has_id; then
                echo "This node joins a cluster. Before the first start of all: docker compose run --rm --no-deps mariadb bootstrap" >&2
            fi
            ;;
    esac
fi
exec docker-entrypoint.sh "$@"
