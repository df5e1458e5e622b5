# SPDX-License-Identifier: Apache-2.0
sudo sqlite3 /srv/data/stock.db "insert into item values ('washer', @N@); select count(*) from item;"
sudo sqlite3 /srv/data/stock.db .dump | gzip > stock@N@.sql.gz
zcat stock@N@.sql.gz | wc -l
php -r 'echo json_encode(array_map("strtoupper", ["a", "b"])), "\n";'
printf '<?php\necho exec("date"), PHP_EOL;\n' > now.php
php -l now.php && php now.php
rm now.php stock@N@.sql.gz
bc -l <<< 'scale=5; 4*a(1)'
openssl rand -hex 8
