#!/bin/sh
# Build step: LoadGen's sources of the round as a static library, /loadgen/libloadgen.a; headers in /loadgen/source.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /toolchain/site.sh

/toolchain/venv/bin/python -m pip download --disable-pip-version-check --no-cache-dir --no-input --progress-bar off \
  --retries 3 --require-hashes --no-deps --no-binary :all: --no-build-isolation \
  --requirement /build/requirements.txt --dest /loadgen/fetched
mkdir /loadgen/source
tar -xzf /loadgen/fetched/*.tar.gz --strip-components 1 -C /loadgen/source

cmake -S /build/loadgen -B /loadgen/build -DLOADGEN=/loadgen/source
cmake --build /loadgen/build --parallel "$(nproc)"
cp /loadgen/build/libloadgen.a /loadgen/libloadgen.a
