# SPDX-License-Identifier: Apache-2.0
sudo apt-get -q update
sudo apt-get install -y --no-install-recommends memcached haproxy
sudo service memcached start
printf 'stats\r\nquit\r\n' | nc -q 1 127.0.0.1 11211 | head -n 3
sudo service memcached stop
sudo haproxy -c -f /etc/haproxy/haproxy.cfg
sudo apt-get purge -y memcached haproxy
sudo apt-get -y autoremove --purge
