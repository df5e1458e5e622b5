#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes an authority, issues a certificate and takes it back: certificates.sh NUMBER
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj '/CN=Everyday CA' -keyout ca.key -out ca.crt 2> /dev/null
openssl ecparam -genkey -name prime256v1 -noout -out site.key
openssl req -new -key site.key -subj "/CN=site$1.example" -out site.csr
openssl x509 -req -in site.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out site.crt 2> /dev/null
openssl verify -CAfile ca.crt site.crt
openssl pkcs12 -export -in site.crt -inkey site.key -passout pass:everyday -out site.p12
cp ca.crt /usr/local/share/ca-certificates/everyday.crt
update-ca-certificates > /dev/null 2>&1
echo | openssl s_client -connect 127.0.0.1:443 2> /dev/null | openssl x509 -noout -enddate
rm /usr/local/share/ca-certificates/everyday.crt
update-ca-certificates --fresh > /dev/null 2>&1
