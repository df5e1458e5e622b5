# SPDX-License-Identifier: Apache-2.0
sudo useradd -m -s /bin/bash -c 'A new colleague' colleague@N@
echo 'colleague@N@:a first pass phrase' | sudo chpasswd
sudo chage -M 90 -W 7 colleague@N@
sudo chage -l colleague@N@ | head -n 3
sudo usermod -aG adm,www-data colleague@N@
sudo gpasswd -d colleague@N@ adm
sudo su - colleague@N@ -c 'id; umask; ls -la'
sudo passwd -l colleague@N@
sudo groupadd team@N@
sudo usermod -aG team@N@ colleague@N@
getent passwd colleague@N@
sudo gpasswd -d colleague@N@ www-data
sudo userdel -r colleague@N@ 2> /dev/null
sudo groupdel team@N@
sudo pwck -rq
