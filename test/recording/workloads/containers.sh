# SPDX-License-Identifier: Apache-2.0
mkdir -p small/bin small/tmp && cp /bin/busybox small/bin/
sudo chroot small /bin/busybox sh -c 'busybox id; busybox ls /; echo kept > /tmp/file'
sudo unshare --mount --pid --fork --mount-proc ps ax
sudo unshare --net ip link
unshare --user --map-root-user id -u 2> /dev/null || true
sudo nsenter --target 1 --mount --uts hostname
sudo rm -r small
