#!/bin/sh
# Build step: ONNX Runtime's library from its wheel into /runtime/lib, headers of the same C API from the distribution
# into /runtime/include. The library takes headers of any older version.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /toolchain/site.sh

mkdir -p /runtime/lib /runtime/licenses
python=/toolchain/venv/bin/python
"$python" -m pip download --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --retries 3 \
  --require-hashes --no-deps --only-binary :all: --requirement /program/requirements.txt --dest /runtime/fetched
"$python" -m zipfile -e /runtime/fetched/onnxruntime-*.whl /runtime/wheel
cp /runtime/wheel/onnxruntime/capi/libonnxruntime.so.*.*.* /runtime/lib/libonnxruntime.so.1
cp /runtime/wheel/onnxruntime/LICENSE /runtime/licenses/onnxruntime.txt
cp /runtime/wheel/onnxruntime/ThirdPartyNotices.txt /runtime/licenses/onnxruntime-third-party.txt

# The headers are in the release after this one only: the same mirrors, another suite, for this one file.
mkdir -p /runtime/apt/lists/partial /runtime/apt/sources /runtime/headers
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  if [ -f "$list" ]; then
    sed 's/bookworm/trixie/g' "$list" >"/runtime/apt/sources/$(basename "$list")"
  fi
done
cd /runtime/headers
set -- -q -o Acquire::Retries=3 -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/runtime/apt/sources \
  -o Dir::State::Lists=/runtime/apt/lists -o APT::Sandbox::User=root
apt-get "$@" update
apt-get "$@" download libonnxruntime-dev
sha256sum --check --strict --ignore-missing /program/runtime.sha256
dpkg-deb -x libonnxruntime-dev_*.deb /runtime/headers
cp -r /runtime/headers/usr/include/onnxruntime /runtime/include
