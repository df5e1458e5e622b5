#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts the web server under load: web-load.sh NUMBER
set -euo pipefail

ab -q -n 60 -c 4 http://127.0.0.1/ > /dev/null
ab -q -k -n 60 -c 2 https://127.0.0.1/ > /dev/null
ab -q -n 15 -c 2 http://127.0.0.1/info.php > /dev/null
ab -q -n 5 -c 1 http://127.0.0.1/cgi-bin/status.sh > /dev/null
curl -fsS -o /dev/null http://127.0.0.1/cgi-bin/status.sh
for page in disk versions orders load; do
  curl -fsS -o /dev/null "http://127.0.0.1/api/$page"
done
wget -q -O /dev/null --no-check-certificate https://127.0.0.1/index.html
