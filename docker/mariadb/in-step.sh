#!/bin/bash
# Whether one of these hosts is a node that serves: `in-step.sh HOST …`. Its account needs no password and has no rights.
ask="SELECT 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'WSREP_LOCAL_STATE' AND VARIABLE_VALUE = 4"
for host; do
    said=$(mariadb --no-defaults --protocol=tcp --host="$host" --user=health --skip-ssl --connect-timeout=2 \
        --batch --skip-column-names --execute="$ask" 2>/dev/null) && [ "$said" = 1 ] && exit 0
done
exit 1
