# SPDX-License-Identifier: Apache-2.0
uptime; free -m; df -h | head -n 5
ps aux --sort=-%cpu | head -n 6
ps -ef --forest | tail -n 20
sudo ss -tlnp
sudo lsof -i -P -n | head -n 10
vmstat 1 2 | tail -n 1
for port in 22 80 443 5432 6379 8000; do nc -z -w 3 127.0.0.1 $port && echo "$port open"; done
printf 'PING\r\n' | socat -t 1 - TCP:127.0.0.1:6379
top -b -n 1 | head -n 12
pgrep -a nginx | head -n 3
ip -brief address; ip route; ping -c 2 10.20.0.1
sudo tail -n 200 /var/log/syslog | grep -c job- || true
last -n 3 2> /dev/null || true; who
