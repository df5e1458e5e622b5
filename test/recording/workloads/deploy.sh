#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts a new version of the service in place: deploy.sh NUMBER
set -euo pipefail

new=/srv/releases/$(date +%s)
mkdir -p "$new"
git --git-dir=/srv/git/project.git archive main | tar -x -C "$new"
python3 -m py_compile "$new/app/app.py"
ln -sfn "$new" /srv/releases/current.new
mv -T /srv/releases/current.new /srv/releases/current
sudo /usr/sbin/service app restart
for _ in {1..20}; do
  curl -fsS -o /dev/null http://127.0.0.1:8000/load 2> /dev/null && break
  sleep 1
done
curl -fsS http://127.0.0.1:8000/versions
printf 'deployed %s\n' "$new" > /var/www/static/version.txt
ls -1dt /srv/releases/[0-9]* | tail -n +4 | xargs -r rm -rf
