# SPDX-License-Identifier: Apache-2.0
(crontab -l 2> /dev/null; echo '*/@MINUTES@ * * * * uptime >> $HOME/uptime.log') | sort -u | crontab -
crontab -l
printf '$put =\"# looked at\"\nwq\n' > edit.vim
EDITOR="vim -es -S $HOME/edit.vim" crontab -e
echo 'df -h > $HOME/df.txt' | at now + 1 minute
atq
sudo crontab -u www-data -l 2> /dev/null || true
echo '17 * * * * root test -e /srv/data && ls /srv/data > /dev/null' | sudo tee /etc/cron.d/reports
sudo chmod 644 /etc/cron.d/reports
sudo rm /etc/cron.d/reports
crontab -r
