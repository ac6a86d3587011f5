#!/bin/sh
# Build step over an image with vLLM: into /opt/harness what the published clients import and the image lacks, then the
# round's LoadGen, last. Nothing that the image has is replaced: /opt/harness is on the path of client and scorer only.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

target=/opt/harness
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv /tmp/pip
  python=/tmp/pip/bin/python
fi

into_harness() {
  "$python" -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --no-compile \
    --retries 3 --require-hashes --no-deps --no-build-isolation --root-user-action ignore --upgrade \
    --target "$target" "$@"
}

mkdir -p "$target" /opt/mlperf-docker
if [ -d /opt/rehearsal ]; then
  echo "REHEARSAL: what the scorer imports is left out, the stand-in scores nothing"
else
  into_harness --requirement /build/score.txt
fi
into_harness --only-binary :all: --requirement /build/loadgen.txt
PYTHONPATH=$target python3 /build/check_seeds.py /build/seeds.json

cp /build/health.py /build/score.sh /opt/mlperf-docker/
{
  echo "# python"
  python3 --version
  echo "# pip, of the image"
  "$python" -m pip list --disable-pip-version-check --format freeze
  echo "# pip, of the harness"
  "$python" -m pip list --disable-pip-version-check --format freeze --path "$target"
  if command -v dpkg-query >/dev/null; then
    echo "# apt"
    # shellcheck disable=SC2016 # dpkg-query fills these in
    dpkg-query -W -f '${Package}=${Version}\n'
  fi
} >/opt/mlperf-docker/versions.txt

find "$target" -depth -type d -name __pycache__ -exec rm -rf {} +
find "$target" /opt/mlperf-docker -exec touch --no-dereference --date @315532800 {} +
