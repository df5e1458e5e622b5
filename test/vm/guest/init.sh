#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: mounts what tests need, starts the runner and
# ends the machine. The shell stays process 1 so that orphans are reaped.

# The kernel loads modules with /sbin/modprobe, so the applets go to their own places.
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux

m() { mount -t "$1" -o "${3:-rw}" "$1" "$2" || echo "init: cannot mount $1 on $2"; }
m devtmpfs /dev
mkdir -p /dev/pts /dev/shm
m proc /proc
m sysfs /sys
m devpts /dev/pts gid=5,mode=620,ptmxmode=666
m tmpfs /dev/shm mode=1777
m tmpfs /tmp mode=1777
m tmpfs /run mode=755
m tracefs /sys/kernel/tracing
m securityfs /sys/kernel/security
m bpf /sys/fs/bpf
m cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

hostname guest
ip link set lo up

/vedette/runner || echo "init: the runner failed"

if [ -e /vedette/shell ]; then
	echo
	echo "A shell in the guest ($(uname -r)). Tests are in /src; leave with exit, or kill the machine with ctrl-a x."
	VEDETTE_GUEST=1 setsid cttyhack sh -l
fi
sync
reboot -f
