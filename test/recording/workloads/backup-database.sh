#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Dumps databases and restores a dump beside them: backup-database.sh NUMBER
set -euo pipefail

umask 077
mkdir -p /var/backups/postgres
cd /var/backups/postgres
su postgres -c 'pg_dump -Fc app' > app.dump
su postgres -c 'pg_dumpall --globals-only' | gzip > globals.sql.gz
su postgres -c "createdb restored$1"
su postgres -c "pg_restore -d restored$1" < app.dump
su postgres -c "psql -qAt -c 'select count(*) from orders' restored$1"
su postgres -c "dropdb restored$1"
redis-cli --rdb dump.rdb > /dev/null
sqlite3 /srv/data/stock.db '.backup stock.db'
gzip -f stock.db
