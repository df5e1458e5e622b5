# SPDX-License-Identifier: Apache-2.0
ssh-keygen -q -t ed25519 -N '' -C admin@web1 -f .ssh/id_new@N@
ssh-keygen -lf .ssh/id_new@N@
sudo sh -c 'cat /home/admin/.ssh/id_new@N@.pub >> /home/deploy/.ssh/authorized_keys'
ssh -n -i .ssh/id_new@N@ deploy@127.0.0.1 uptime
sudo sed -i '/admin@web1/d' /home/deploy/.ssh/authorized_keys
cp .ssh/authorized_keys .ssh/authorized_keys.bak
vim -es -c '$put =\"# checked\"' -c wq .ssh/authorized_keys
mv .ssh/authorized_keys.bak .ssh/authorized_keys
ssh-keygen -q -R 127.0.0.1 -f .ssh/known_hosts > /dev/null 2>&1
rm .ssh/id_new@N@ .ssh/id_new@N@.pub
