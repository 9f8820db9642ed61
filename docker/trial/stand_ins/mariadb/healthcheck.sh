#!/bin/bash
# Over TCP: while the data folder is being made, the server listens on its socket only.
exec mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --user=healthcheck --password=healthcheck \
    --execute="SELECT 1" >/dev/null
