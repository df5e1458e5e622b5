#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a wheel from local sources, installs it into an environment and runs it: build-python.sh NUMBER
set -euo pipefail

dir=$HOME/build/python-$1
rm -rf "$dir"
mkdir -p "$dir/everyday"
cd "$dir"
cat > setup.py <<'P'
from setuptools import setup
setup(name="everyday", version="1.0", packages=["everyday"], entry_points={"console_scripts": ["everyday = everyday:main"]})
P
cat > everyday/__init__.py <<'P'
import subprocess


def main():
    print(subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout, end="")
P
python3 setup.py -q sdist
pip wheel -q --disable-pip-version-check --no-deps --no-index --no-build-isolation -w wheels .
python3 -m venv environment
environment/bin/pip install -q --disable-pip-version-check --no-index wheels/*.whl
environment/bin/everyday
environment/bin/python -m compileall -q everyday
cd "$HOME"
rm -rf "$dir"
