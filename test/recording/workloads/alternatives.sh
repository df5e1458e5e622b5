# SPDX-License-Identifier: Apache-2.0
update-alternatives --list editor
sudo update-alternatives --set editor /usr/bin/vim.basic
sudo update-alternatives --set editor /bin/nano
sudo update-alternatives --install /usr/local/bin/json json /usr/bin/jq 10
echo '{"a": [1, 2]}' | json -c .a
sudo update-alternatives --remove json /usr/bin/jq
sudo ldconfig
ldconfig -p | wc -l
sudo mandb -q
man -w tar
man tar | head -n 3
