#!/bin/bash
# Is Kafka Connect well, and does every connector run? Asked by Docker.
#
# A task that failed stays failed until somebody restarts it: Debezium's does when MariaDB goes away at the moment that
# the task starts, and orders would wait. So it is restarted here; `docker compose ps` says unhealthy while that is no help.
url=http://127.0.0.1:8083
curl --silent --fail --output /dev/null "$url/health" || exit 1

ill=0
for name in $(curl --silent --fail "$url/connectors" | tr '[],"' ' '); do
    if curl --silent --fail "$url/connectors/$name/status" | grep --quiet '"FAILED"'; then
        echo "$name has failed and is restarted"
        curl --silent --request POST "$url/connectors/$name/restart?includeTasks=true&onlyFailed=true" --output /dev/null
        ill=1
    fi
done
exit $ill
