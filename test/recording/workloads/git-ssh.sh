#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Clones and pushes over ssh: git-ssh.sh NUMBER
set -euo pipefail

dir=$HOME/src/remote-$1
rm -rf "$dir"
git clone -q ssh://deploy@127.0.0.1/srv/git/project.git "$dir"
cd "$dir"
printf 'remote change %s\n' "$1" >> REMOTE
git add REMOTE
git commit -q -m "Remote change $1"
git fetch -q
git push -q origin main
git tag -a "v$1" -m "Version $1"
git push -q -f origin "v$1"
rm -rf "$dir"
