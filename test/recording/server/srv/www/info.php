<?php
// SPDX-License-Identifier: Apache-2.0
// A page that makes a picture's size in the way of many sites: by a program.
header('Content-Type: text/plain');
echo date('c'), "\n", trim(shell_exec('wc -c < ' . escapeshellarg(__DIR__ . '/index.html'))), "\n";
file_put_contents('/tmp/session-' . bin2hex(random_bytes(4)), serialize($_SERVER['REMOTE_ADDR']));
