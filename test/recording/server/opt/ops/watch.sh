#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The monitoring of the server: ships lines of the web server's log and samples the load.
set -euo pipefail

ship() {
  tail -n 0 -F /var/log/nginx/access.log 2> /dev/null | grep --line-buffered -v ' 200 ' | while read -r line; do
    logger -t web "$line"
  done
}

sample() {
  while :; do
    { uptime; free -m; ss -s; df -h /; } > /var/lib/health/sample 2> /dev/null
    sleep 20
  done
}

mkdir -p /var/lib/health
ship &
sample
