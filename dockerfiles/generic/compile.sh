#!/bin/sh
# Build step: byte-compile the project's own code in /opt/mlperf-docker, the same bytes on every machine.
set -eu

python3 -m compileall -q --invalidation-mode unchecked-hash /opt/mlperf-docker
find /opt/mlperf-docker -exec touch --no-dereference --date @315532800 {} +
