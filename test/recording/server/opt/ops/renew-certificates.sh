#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Renews certificates as an ACME client does: a new key and request, a check, the exchange of the
# files, a reload of the web server.
set -euo pipefail

cd /etc/ssl/sites
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if openssl x509 -checkend $((60 * 86400)) -noout -in www.crt; then
  exit 0
fi
openssl req -newkey rsa:2048 -nodes -subj /CN=www.example -keyout "$work/www.key" -out "$work/www.csr" 2> /dev/null
openssl x509 -req -in "$work/www.csr" -signkey "$work/www.key" -days 30 -out "$work/www.crt" 2> /dev/null
openssl verify -CAfile "$work/www.crt" "$work/www.crt" > /dev/null
install -m 600 "$work/www.key" www.key.new
install -m 644 "$work/www.crt" www.crt.new
mv www.key.new www.key
mv www.crt.new www.crt
nginx -t -q
service nginx reload > /dev/null
