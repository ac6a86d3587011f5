#!/bin/sh
# Build step: a virtual environment in /opt/venv with exactly what the lock file pins, the same bytes on every machine.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

venv=/opt/venv
python=$venv/bin/python

python3 -m venv "$venv"
"$python" -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --no-compile \
  --retries 3 --require-hashes --no-deps --only-binary :all: --requirement /build/requirements.txt

if [ -f /build/seeds.json ]; then
  "$python" /build/check_seeds.py /build/seeds.json
fi

mkdir -p /opt/mlperf-docker
{
  echo "# python"
  "$python" --version
  echo "# pip"
  "$python" -m pip list --disable-pip-version-check --format freeze
  echo "# apt"
  dpkg-query -W -f '${Package}=${Version}\n'
} >/opt/mlperf-docker/versions.txt

# Nothing at run time installs packages or runs their tests.
"$python" -m pip uninstall --quiet --yes --disable-pip-version-check pip setuptools
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$packages" -depth -type d \( -name tests -o -name test \) -path '*/numpy/*' -exec rm -rf {} +
find "$packages" -depth -type d \( -name tests -o -name test \) -path '*/onnx/backend/*' -exec rm -rf {} +
rm -rf "$packages/torch/include" "$packages/torch/testing/_internal/py312_intrinsics.py"
find "$venv" -depth -type d -name __pycache__ -exec rm -rf {} +

# The root file system is read-only when it runs: byte-compile now, by content and not by time.
"$python" -m compileall -q --invalidation-mode unchecked-hash "$packages"
find "$venv" /opt/mlperf-docker -exec touch --no-dereference --date @315532800 {} +
