# SPDX-License-Identifier: Apache-2.0
expect -c 'set timeout 30; spawn sudo passwd oncall; expect "password:"; send "other work\r"; expect "password:"; send "other work\r"; expect eof; lassign [wait] p s e r; exit $r'
expect -c 'set timeout 30; spawn ssh deploy@10.20.0.2; expect "\$ "; send "uname -n\r"; expect "\$ "; send "exit\r"; expect eof' > /dev/null
expect -c 'set timeout 30; spawn su oncall -c id; expect "assword:"; send "other work\r"; expect eof; lassign [wait] p s e r; exit $r'
