#!/bin/sh
# Build step: the program over a runtime, into /opt/mlperf-docker. Usage: build.sh BACKEND
set -eu

backend=$1
to=/opt/mlperf-docker

set -- /runtime/lib/*
cmake -S /harness/src -B /harness/build -DBACKEND="$backend" -DRUNTIME_INCLUDE=/runtime/include -DRUNTIME_LIBRARY="$1"
cmake --build /harness/build --parallel "$(nproc)"
cmake --install /harness/build --prefix "$to" --strip

cp -r /runtime/lib /runtime/licenses "$to/"
"$to/bin/mlperf-sut" --check-seeds /build/seeds.json
{
  "$to/bin/mlperf-sut" --version
  echo "# pip"
  cat /build/requirements.txt /program/requirements.txt | grep '=='
  echo "# built with"
  dpkg-query -W -f '${Package}=${Version}\n' cmake g++-12 nlohmann-json3-dev
  echo "# apt"
  cat /toolchain/apt-of-the-base.txt
} >"$to/versions.txt"
chmod -R a+rX,go-w "$to"
find "$to" -exec touch --no-dereference --date @315532800 {} +
