# SPDX-License-Identifier: Apache-2.0
mkdir -p notes && cd notes
printf 'first\nsecond\n' > list.txt
vim -es -c '%s/first/1st/' -c wq list.txt
sed -i.bak 's/second/2nd/' list.txt
perl -pi -e 's/1st/one/' list.txt
diff list.txt.bak list.txt > list.patch || true
patch -R list.txt list.patch
expect -c 'set timeout 20; spawn nano -I list.txt; sleep 1; send "more\r\x0f\r"; sleep 1; send "\x18"; expect eof' > /dev/null
sudo cp /etc/hosts /etc/hosts.bak
sudo sed -i '/desk/d' /etc/hosts
echo '10.20.0.9 desk.example' | sudo tee -a /etc/hosts > /dev/null
sudo vim -es -c '$delete' -c wq /etc/hosts
sudo mv /etc/hosts.bak /etc/hosts
echo 'alias ll="ls -l"' >> ~/.bash_aliases
cd .. && rm -r notes ~/.bash_aliases
