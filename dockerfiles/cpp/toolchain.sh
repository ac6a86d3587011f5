#!/bin/sh
# Build step: the distribution's compiler and CMake, and a virtual environment with what fetches sources.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /toolchain/site.sh

dpkg-query -W -f '${Package}=${Version}\n' >/toolchain/apt-of-the-base.txt
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o Acquire::Retries=3 update
apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install --no-install-recommends \
  cmake g++ make nlohmann-json3-dev python3-venv
rm -rf /var/lib/apt/lists/*

python3 -m venv /toolchain/venv
/toolchain/venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off \
  --retries 3 --require-hashes --no-deps --only-binary :all: --requirement /toolchain/tools.txt
