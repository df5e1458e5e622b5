#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Works on a branch of the project and merges it: git-work.sh NUMBER
set -euo pipefail

dir=$HOME/src/project-$1
rm -rf "$dir"
git clone -q file:///srv/git/project.git "$dir"
cd "$dir"
git checkout -q -b "change-$1"
printf 'change %s\n' "$1" >> CHANGES
git add CHANGES
git commit -q -m "Change $1"
sed -i "1s/.*/changed again $1/" CHANGES
git commit -q -am "Change $1 again"
git log --oneline -3
git diff --stat HEAD~1
git checkout -q main
git merge -q --no-ff -m "Merge change $1" "change-$1"
git push -q origin main
git branch -q -d "change-$1"
git gc -q
git -C /srv/git/project.git gc -q
git archive --format=tar.gz -o "$HOME/project-$1.tar.gz" HEAD
rm -rf "$dir" "$HOME/project-$1.tar.gz"
