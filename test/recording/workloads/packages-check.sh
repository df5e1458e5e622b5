# SPDX-License-Identifier: Apache-2.0
sudo debsums -s openssh-server cron nginx-common sudo
debsums bash | tail -n 2
dpkg --verify tar coreutils
dpkg -S /usr/bin/vim.basic
apt-mark showmanual | wc -l
dpkg-query -W -f '${Installed-Size} ${Package}\n' | sort -n | tail -n 3
