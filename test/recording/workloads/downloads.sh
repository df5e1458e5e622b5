# SPDX-License-Identifier: Apache-2.0
cd /tmp
curl -fsSL -o tools@N@.tar.gz http://mirror.example/tools.tar.gz
mkdir tools@N@ && tar -xzf tools@N@.tar.gz -C tools@N@
tools@N@/report
wget -q -O Release@N@ http://mirror.example/debian/Release
sha256sum Release@N@
curl -fsSL http://mirror.example/install.sh | sudo sh
report
sudo rm /usr/local/bin/report
rm -r tools@N@ tools@N@.tar.gz Release@N@
