# SPDX-License-Identifier: Apache-2.0
sudo mkdir -p /lib/modules/6.12.0-everyday
sudo touch /lib/modules/6.12.0-everyday/modules.order /lib/modules/6.12.0-everyday/modules.builtin
sudo depmod 6.12.0-everyday
sudo sh -c 'echo CONFIG_RD_GZIP=y > /boot/config-6.12.0-everyday'
sudo mkinitramfs -o /boot/initrd.img-6.12.0-everyday 6.12.0-everyday
lsinitramfs /boot/initrd.img-6.12.0-everyday | wc -l
sudo rm -rf /lib/modules/6.12.0-everyday /boot/config-6.12.0-everyday /boot/initrd.img-6.12.0-everyday
