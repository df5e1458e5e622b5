#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a C program with autoconf, automake and make, tests and installs it: build-c.sh NUMBER
set -euo pipefail

dir=$HOME/build/c-$1
rm -rf "$dir"
mkdir -p "$dir/src"
cd "$dir"
trap 'tail -n 10 "$dir/build.log"' ERR
sources=()
for i in {1..8}; do
  printf '#include "all.h"\nint part%d(int x) { return x * %d + 1; }\n' "$i" "$i" > "src/part$i.c"
  sources+=("src/part$i.c")
done
for i in {1..8}; do echo "int part$i(int x);"; done > src/all.h
cat > src/main.c <<'C'
#include <stdio.h>
#include "all.h"
int main(void) { printf("%d\n", part1(1) + part8(2)); return 0; }
C
cat > configure.ac <<'AC'
AC_INIT([parts], [1.0])
AM_INIT_AUTOMAKE([foreign subdir-objects])
AC_PROG_CC
AC_CHECK_HEADERS([sys/epoll.h])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
AC
cat > Makefile.am <<AM
bin_PROGRAMS = parts
parts_SOURCES = src/main.c src/all.h ${sources[*]}
check-local:
	./parts | grep -q 19
AM
autoreconf -i > build.log 2>&1
./configure --prefix=/usr/local >> build.log 2>&1
make -j2 >> build.log 2>&1
make check >> build.log 2>&1
make install DESTDIR="$dir/installed" >> build.log 2>&1
strip installed/usr/local/bin/parts
make dist >> build.log 2>&1
cd "$HOME"
rm -rf "$dir"
