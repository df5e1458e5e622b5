# SPDX-License-Identifier: Apache-2.0
sudo service postgresql restart
sudo service redis-server restart
sudo nginx -t
sudo service nginx restart
sudo service cron restart
sudo service php8.4-fpm reload
sudo service ssh reload
sudo service app restart
sleep 3
curl -fsS http://127.0.0.1/api/load
sudo service --status-all 2> /dev/null | grep -c '+'
redis-cli ping
