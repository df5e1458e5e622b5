#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Backs up with restic and borg: backup-restic.sh NUMBER
set -euo pipefail

export RESTIC_REPOSITORY=/var/backups/restic RESTIC_PASSWORD_FILE=/root/.backup-passphrase
[ -d "$RESTIC_REPOSITORY" ] || restic -q init
restic -q backup /etc /srv/www
restic -q forget --keep-last 3 --prune
restic -q check
export BORG_PASSPHRASE=everyday BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
[ -d /var/backups/borg ] || borg init -e repokey /var/backups/borg
borg create "/var/backups/borg::etc-$(date +%s)" /etc
borg prune --keep-last 3 /var/backups/borg
borg list --short /var/backups/borg | tail -n 1
