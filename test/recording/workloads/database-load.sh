#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts the databases under load: database-load.sh NUMBER
set -euo pipefail

su postgres -c 'pgbench -n -c 3 -t 40 bench' > /dev/null 2>&1
su postgres -c 'pgbench -n -C -c 2 -t 8 bench' > /dev/null 2>&1
su postgres -c "psql -q app" <<SQL
insert into orders (customer, amount) values ('customer $1', $1);
create table copied$1 as select * from orders limit 100;
vacuum analyze orders;
copy (select * from orders limit 10) to '/tmp/session-orders.csv';
copy (select count(*) from orders) to program 'cat > /tmp/session-count.txt';
drop table copied$1;
SQL
redis-benchmark -q -n 2000 -c 5 -t set,get,lpush > /dev/null
redis-cli set "key:$1" value > /dev/null
redis-cli bgsave > /dev/null
redis-cli info memory | grep used_memory_human
