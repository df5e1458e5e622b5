#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a root of Debian 12, for tests only, in the directory that is named: with
# debootstrap, from the mirror that apt is set up to use.
set -euo pipefail
target=$(mkdir -p "$1" && cd "$1" && pwd)

packages=openssh-server,sudo,cron,libpam-pwquality,nftables,systemd,auditd,acl,rsyslog,linux-image-cloud-amd64
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)
if [[ -z $mirror ]]; then
	echo "apt is not set up for Debian 12 (bookworm); its sources say from where the root is made" >&2
	exit 1
fi

rm -rf "$target"
mkdir -p "$target"
debootstrap --variant=minbase --include="$packages" bookworm "$target/root" "$mirror"
# What was downloaded is in the root already.
rm -rf "$target"/root/var/cache/apt/archives "$target"/root/var/lib/apt/lists
cp "$0" "$target/installed"
