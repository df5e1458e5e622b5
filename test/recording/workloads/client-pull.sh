#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A backup server fetches what is new; it runs on the clients' side: client-pull.sh NUMBER
set -euo pipefail

to=/var/backups/pulled
mkdir -p "$to"
rsync -a --delete -e ssh root@web1.example:/etc/nginx/ "$to/nginx/"
rsync -a -e ssh backup-agent@web1.example:/var/backups/everyday/ "$to/everyday/"
ssh -n root@web1.example 'pg_dumpall --version && tar -C /etc -czf - ssh' > "$to/ssh.tar.gz"
scp -q root@web1.example:/etc/passwd "$to/passwd"
printf 'get /srv/data/report-2.txt %s/report\n' "$to" | sftp -q -b - admin@web1.example > /dev/null
