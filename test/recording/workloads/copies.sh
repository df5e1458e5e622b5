#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Copies files with scp and sftp: copies.sh NUMBER
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scp -q root@127.0.0.1:/etc/hosts "$work/hosts"
scp -q -r /srv/www root@127.0.0.1:"$work/www"
printf 'cd /srv/data\nget report-1.txt %s/report\nls -l\nput %s/report /tmp/session-report\n' "$work" "$work" |
  sftp -q -b - root@127.0.0.1 > /dev/null
ssh -n root@127.0.0.1 'tar -C /srv -cf - www' | tar -tf - | wc -l
tar -C /srv -cf - www | ssh root@127.0.0.1 "cat > $work/www.tar"
