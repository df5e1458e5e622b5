#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs once in a fresh root: installs what the everyday work needs and gathers, in /var/mirror, the
# packages that are installed and removed again while it is recorded.
set -euo pipefail

# Nothing is to be started while the root is built.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# Pages of the manual are wanted: their trigger is part of everyday work.
rm -f /etc/dpkg/dpkg.cfg.d/docker

base=(tini sudo openssh-server cron at logrotate rsyslog iproute2 iputils-ping procps psmisc lsof less
  file man-db debsums locales acl bc jq ca-certificates ssl-cert openssl gnupg apt-utils adduser)
services=(nginx-light php-fpm php-cli fcgiwrap postgresql postgresql-contrib redis-server sqlite3)
builds=(build-essential autoconf automake git python3-setuptools python3-wheel python3-pip python3-venv)
backups=(rsync restic borgbackup zstd xz-utils bzip2)
tools=(apache2-utils curl wget netcat-openbsd socat expect tmux vim nano screen bsdextrautils busybox-static
  initramfs-tools kmod)
apt-get -q update
apt-get -q -y --no-install-recommends install "${base[@]}" "${services[@]}" "${builds[@]}" "${backups[@]}" "${tools[@]}"

# What comes and goes, with all it needs, and what is installed anew as an upgrade would.
coming=(htop tree plocate memcached haproxy sysstat zip unzip python3-requests python3-yaml)
again=(man-db openssl tzdata libc-bin bash openssh-server nginx-light cron sudo logrotate rsyslog
  ca-certificates procps)
mkdir -p /var/mirror
apt-get -q clean
apt-get -q -y --no-install-recommends --download-only install "${coming[@]}"
apt-get -q -y --no-install-recommends --download-only --reinstall install "${again[@]}"
mv /var/cache/apt/archives/*.deb /var/mirror/
cd /var/mirror
dpkg-scanpackages -m . /dev/null > Packages 2> /dev/null
gzip -k9 Packages
apt-ftparchive release . > /tmp/Release
mv /tmp/Release Release

# What is left of the host's archives and network must not be seen by the work.
apt-get -q clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/bootstrap.log /etc/apt/apt.conf.d/99host-proxy
rm -f /etc/resolv.conf /usr/sbin/policy-rc.d /etc/machine-id /etc/ssh/ssh_host_*
echo 'deb [trusted=yes] http://mirror.example/debian ./' > /etc/apt/sources.list
