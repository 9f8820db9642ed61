#!/bin/bash
# The entry point of MariaDB. A node of a cluster is told here whether to found it.
set -eu
state=/var/lib/mysql/grastate.dat

# With data, if it was the last node to stop: nobody knows more. Without any, if it is the first node and the others have
# none either: a node whose disk was lost must not found a cluster that the others would then copy.
may_found() {
    if [ -e $state ]; then
        grep -q 'safe_to_bootstrap: 1' $state
    else
        [ "$HOSTNAME" = mariadb ] && ! ls /others/*/grastate.dat >/dev/null 2>&1
    fi
}

if grep -q '^wsrep_on' /etc/mysql/conf.d/orders.cnf && may_found && ! bash /in-step.sh mariadb mariadb-2 mariadb-3; then
    echo "this node founds the cluster" >&2
    set -- "$@" --wsrep-new-cluster
fi
exec docker-entrypoint.sh "$@"
