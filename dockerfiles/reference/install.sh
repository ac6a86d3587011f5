#!/bin/sh
# Build step: install.sh own|inherit [MODULE...]: a virtual environment in /opt/venv with exactly what the lock file pins,
# over the base's own packages (inherit) or alone (own); LoadGen of the round last. Every MODULE must be there then.
set -eu

packages_of=$1
shift

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

venv=/opt/venv
python=$venv/bin/python

if ! python3 -c 'import ensurepip' 2>/dev/null; then
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3 python3-venv
fi
if [ "$packages_of" = inherit ]; then
  python3 -m venv --system-site-packages "$venv"
else
  python3 -m venv "$venv"
fi

pip_install() {
  "$python" -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --no-compile \
    --retries 3 --require-hashes --no-deps --no-build-isolation "$@"
}

# The lock file itself says which packages exist as sources only; all others come as wheels.
if [ -f /build/requirements.txt ]; then
  pip_install --requirement /build/requirements.txt
fi

# Pinned, but by version alone: their index publishes no hashes that could be locked.
if [ -f /build/unlocked.txt ]; then
  "$python" -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --no-compile \
    --retries 3 --no-deps --requirement /build/unlocked.txt
fi

# LoadGen last, whatever a harness' own requirements brought: its seeds are compiled in and decide the round.
"$python" -m pip uninstall --quiet --yes --disable-pip-version-check mlcommons-loadgen mlperf-loadgen 2>/dev/null || true
if [ "$(uname -m)" = x86_64 ]; then
  pip_install --only-binary :all: --requirement /build/loadgen.txt
else
  # No wheel for other architectures: from its source, with the compiler of a stage that is thrown away.
  if ! command -v g++ >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends g++ python3-dev
  fi
  pip_install --only-binary :all: --requirement /build/loadgen-build.txt
  CFLAGS="-std=c++14 -O3" pip_install --no-binary mlcommons-loadgen --requirement /build/loadgen.txt
fi
"$python" /build/check_seeds.py /build/seeds.json
"$python" /build/check_modules.py "$@"

mkdir -p /opt/mlperf-docker
{
  echo "# python"
  "$python" --version
  echo "# pip"
  "$python" -m pip list --disable-pip-version-check --format freeze
  if command -v dpkg-query >/dev/null; then
    echo "# apt"
    dpkg-query -W -f '${Package}=${Version}\n'
  fi
} >/opt/mlperf-docker/versions.txt

# The root file system is read-only when it runs: byte-compile now, by content and not by time.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$venv" -depth -type d -name __pycache__ -exec rm -rf {} +
"$python" -m compileall -q -j 2 --invalidation-mode unchecked-hash "$packages" >/dev/null || true
find "$venv" /opt/mlperf-docker -exec touch --no-dereference --date @315532800 {} +
