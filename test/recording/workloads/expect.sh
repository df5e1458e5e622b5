# SPDX-License-Identifier: Apache-2.0
expect -c 'set timeout 30; spawn sudo passwd oncall; expect_after timeout {exit 1}; expect "password:"; send "other work\r"; expect "password:"; send "other work\r"; expect eof; lassign [wait] p s e r; exit $r'
expect -c 'set timeout 30; spawn ssh deploy@10.20.0.2; expect_after timeout {exit 1}; expect "assword:"; send "deploy work\r"; expect "\$ "; send "uname -n\r"; expect "\$ "; send "exit\r"; expect eof; lassign [wait] p s e r; exit $r' > /dev/null
expect -c 'set timeout 30; spawn su oncall -c id; expect_after timeout {exit 1}; expect "assword:"; send "other work\r"; expect eof; lassign [wait] p s e r; exit $r'
