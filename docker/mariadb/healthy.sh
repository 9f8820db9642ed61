#!/bin/bash
# Whether this node of a cluster is a member that has all data: synced, or giving its data to another one. Asked by Docker.
[ "$(bash /ask.sh 127.0.0.1 wsrep_cluster_status)" = Primary ] &&
    case $(bash /ask.sh 127.0.0.1 wsrep_local_state) in 2 | 4) ;; *) false ;; esac
