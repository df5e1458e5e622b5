# SPDX-License-Identifier: Apache-2.0
sudo -l
echo 'oncall ALL=(root) /usr/sbin/service nginx reload' > oncall.sudoers
sudo visudo -cf oncall.sudoers
sudo install -m 440 -o root -g root oncall.sudoers /etc/sudoers.d/oncall
sudo visudo -c
rm oncall.sudoers
sudo su - oncall -c "echo 'other work' | sudo -S -p '' /usr/sbin/service nginx reload"
sudo -u postgres psql -qAt -c 'select version()' | cut -c 1-20
sudo rm /etc/sudoers.d/oncall
sudo -i
whoami
tail -n 3 /var/log/auth.log
exit
