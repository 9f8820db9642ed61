#!/bin/bash
# Variables CONNECT_… become properties, and some have names of their own, as in the real image.
set -euo pipefail
export CONNECT_BOOTSTRAP_SERVERS=$BOOTSTRAP_SERVERS
export CONNECT_GROUP_ID=$GROUP_ID
export CONNECT_CONFIG_STORAGE_TOPIC=$CONFIG_STORAGE_TOPIC
export CONNECT_OFFSET_STORAGE_TOPIC=$OFFSET_STORAGE_TOPIC
export CONNECT_STATUS_STORAGE_TOPIC=$STATUS_STORAGE_TOPIC
export CONNECT_KEY_CONVERTER=${KEY_CONVERTER:-org.apache.kafka.connect.json.JsonConverter}
export CONNECT_VALUE_CONVERTER=${VALUE_CONVERTER:-org.apache.kafka.connect.json.JsonConverter}
export CONNECT_OFFSET_FLUSH_INTERVAL_MS=${OFFSET_FLUSH_INTERVAL_MS:-60000}
export CONNECT_LISTENERS=http://${HOST_NAME:-0.0.0.0}:8083
export CONNECT_REST_ADVERTISED_HOST_NAME=$ADVERTISED_HOST_NAME
export CONNECT_REST_ADVERTISED_PORT=8083
export CONNECT_PLUGIN_PATH=/kafka/connect

file=/kafka/config/connect-distributed.properties
: >$file
while IFS= read -r -d '' entry; do
    name=${entry%%=*}
    case $name in CONNECT_*) ;; *) continue ;; esac
    name=${name#CONNECT_}
    name=${name//_/.}
    echo "${name,,}=${entry#*=}" >>$file
done < <(env -0)

# shellcheck disable=SC2086
exec /opt/java/bin/java ${HEAP_OPTS:-} -XX:+UseSerialGC -Dlog4j2.configurationFile=/kafka/log4j2.properties \
    -Dlab.level=INFO -cp '/kafka/libs/*' org.apache.kafka.connect.cli.ConnectDistributed $file
