#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Visitors, a monitor and a developer come from elsewhere: client-visits.sh NUMBER
set -euo pipefail

for page in / /info.php /cgi-bin/status.sh /api/load; do
  curl -fsS -o /dev/null --interface 203.0.113.10 "http://web1.example$page"
  curl -fsSk -o /dev/null --interface 203.0.113.10 "https://web1.example$page"
done
ab -q -n 50 -c 3 http://web1.example/ > /dev/null
nc -z -w 5 web1.example 22
for command in uptime 'df -h /' 'cat /proc/loadavg' 'sudo service nginx status'; do
  ssh -n admin@web1.example "$command" > /dev/null
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone -q ssh://deploy@web1.example/srv/git/project.git "$work/project"
ssh admin@web1.example 'python3 -' <<< 'import platform; print(platform.node())'
ssh admin@web1.example 'bash -s' <<< 'set -e; cd /tmp; ls | wc -l; id -un'
