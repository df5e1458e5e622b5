# SPDX-License-Identifier: Apache-2.0
sudo ln -sf /usr/share/zoneinfo/Europe/Zurich /etc/localtime
date
sudo ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
sudo dpkg-reconfigure -f noninteractive tzdata
echo 'en_GB.UTF-8 UTF-8' | sudo tee /etc/locale.gen
sudo locale-gen
locale -a | head -n 3
printf 'server {\n  listen 8080;\n  return 204;\n}\n' | sudo tee /etc/nginx/sites-available/ping > /dev/null
sudo ln -s /etc/nginx/sites-available/ping /etc/nginx/sites-enabled/ping
sudo nginx -t && sudo service nginx reload
sleep 1; curl -fsS -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/
sudo rm /etc/nginx/sites-enabled/ping /etc/nginx/sites-available/ping
sudo service nginx reload
echo 'message of the day' | sudo tee /etc/motd
echo 'export EDITOR=vim' | sudo tee /etc/profile.d/editor.sh
sudo rm /etc/profile.d/editor.sh
