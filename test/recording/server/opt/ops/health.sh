#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Looks whether the services answer.
set -euo pipefail

state=/var/lib/health
mkdir -p "$state"

get() {
  curl -fsSk --max-time 20 --retry 8 --retry-delay 2 --retry-all-errors "$@"
}

# A service that is being restarted is given time.
listens() {
  for _ in {1..8}; do
    nc -z -w 5 127.0.0.1 "$1" && return
    sleep 2
  done
  return 1
}

get -o /dev/null http://127.0.0.1/
get -o /dev/null https://127.0.0.1/info.php
get -o "$state/disk" http://127.0.0.1:8000/disk
listens 5432
listens 6379
listens 22
used=$(df --output=pcent / | tail -n 1 | tr -dc '0-9')
if [ "$used" -gt 95 ]; then
  logger -t health "disk is $used % full"
fi
ps -eo pid,comm,rss --sort=-rss | head -n 5 > "$state/top"
ss -tlnp > "$state/ports"
awk '/MemAvailable/ { print $2 }' /proc/meminfo > "$state/memory"
