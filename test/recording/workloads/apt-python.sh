# SPDX-License-Identifier: Apache-2.0
sudo apt-get -q update
sudo apt-get install -y --no-install-recommends python3-requests python3-yaml sysstat plocate
python3 -c 'import requests, yaml; print(yaml.safe_dump({"requests": requests.__version__}))'
sudo updatedb
locate -c nginx.conf
sar -u 1 2 > /dev/null
sudo apt-get purge -y python3-requests python3-yaml sysstat plocate
sudo apt-get -y autoremove
