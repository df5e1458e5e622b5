# SPDX-License-Identifier: Apache-2.0
logger -t admin 'looking at the logs'
logger -p auth.notice -t admin 'a notice'
timeout --foreground 3 tail -F /var/log/syslog | grep --line-buffered admin | head -n 2
sudo grep -h sshd /var/log/auth.log | awk '{ print $3 }' | sort | uniq -c | tail -n 3
zgrep -h GET /var/log/nginx/access.log* | cut -d' ' -f1 | sort | uniq -c | sort -rn | head -n 3
sudo less -FX /var/log/dpkg.log | tail -n 2
sudo logrotate -d /etc/logrotate.conf 2>&1 | tail -n 2
script -q -c 'date; id' typescript@N@ > /dev/null
rm typescript@N@
