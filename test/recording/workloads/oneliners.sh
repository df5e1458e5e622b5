# SPDX-License-Identifier: Apache-2.0
find /usr/share/doc -maxdepth 2 -name 'copyright' | head -n 50 | xargs wc -l | tail -n 1
find /srv/data -name '*.txt' -size +20k -exec sha256sum {} + | sort | head -n 3
awk -F: '$3 >= 1000 { print $1, $7 }' /etc/passwd
perl -MFile::Find -e 'my $n = 0; find(sub { $n += -s $_ if -f $_ }, "/srv/data"); print "$n\n"'
python3 -c 'import os, json; print(json.dumps(dict(zip("ab", os.getloadavg()))))'
python3 -c 'import urllib.request as u; print(len(u.urlopen("http://127.0.0.1/").read()))'
mkdir -p zipped && cp /srv/data/report-1*.txt zipped/ && ls -1 zipped/*.txt | xargs -P 2 -n 4 gzip -f
rm -r zipped; for f in /srv/data/report-1*.txt; do base64 -d "$f" | sha1sum; done | sort | uniq -c | wc -l
sudo find /etc -name '*.conf' -newermt '-1 hour' -print0 | xargs -0 -r ls -l
sudo du -xsh /var /usr 2> /dev/null
history | tail -n 3
