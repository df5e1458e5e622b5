# SPDX-License-Identifier: Apache-2.0
sudo apt-get -q update
apt list --upgradable 2> /dev/null
sudo apt-get -y dist-upgrade
sudo apt-get install -y --reinstall @PACKAGE@
sudo dpkg --configure -a
dpkg -l | grep -c ^ii
sudo apt-get clean
