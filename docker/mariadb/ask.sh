#!/bin/bash
# A status variable of a node: `ask.sh HOST NAME`. The account `health` has no password and no rights.
exec mariadb --no-defaults --protocol=tcp --host="$1" --user=health --skip-ssl --connect-timeout=2 --batch \
    --skip-column-names \
    --execute="SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '$2'" 2>/dev/null
