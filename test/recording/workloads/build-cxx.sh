#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a C++ library and a program with make: build-cxx.sh NUMBER
set -euo pipefail

dir=$HOME/build/cxx-$1
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
for i in {1..4}; do
  printf '#include <map>\n#include <string>\nint part%d() { std::map<std::string, int> m{{"a", %d}}; return m["a"]; }\n' "$i" "$i" > "part$i.cc"
done
printf '#include <iostream>\nint part1();\nint main() { std::cout << part1() << std::endl; }\n' > main.cc
cat > Makefile <<'M'
OBJECTS = part1.o part2.o part3.o part4.o
all: program
libparts.a: $(OBJECTS)
	ar rcs $@ $^
program: main.o libparts.a
	g++ -o $@ $^
%.o: %.cc
	g++ -O1 -c -o $@ $<
clean:
	rm -f *.o *.a program
M
make
./program
touch part2.cc
make
make clean
cd "$HOME"
rm -rf "$dir"
