# SPDX-License-Identifier: Apache-2.0
sudo apt-get -q update
apt-cache policy htop tree | head -n 8
sudo apt-get install -y --no-install-recommends tree htop zip unzip
tree -L 1 /srv
dpkg -L tree | head -n 5
zip -q -r /tmp/www-@N@.zip /srv/www
unzip -l /tmp/www-@N@.zip | tail -n 1
rm /tmp/www-@N@.zip
sudo apt-get remove -y tree
sudo apt-get purge -y htop zip unzip
sudo apt-get -y autoremove
