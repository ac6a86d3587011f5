#!/bin/sh
# Build step in a stage that is thrown away: the official scorers of the round with what they import, our small
# programs, the seeds that mlperf.conf must have, and the versions of everything.
set -eu

mkdir -p /opt/harness /opt/mlperf-docker/score /opt/mlperf-docker/modules
for path in vision/classification_and_detection/tools language/bert; do
  mkdir -p "/opt/mlperf-docker/score/$path"
  cp "/opt/source/inference/$path"/*.py "/opt/mlperf-docker/score/$path/"
done
cp /build/compile.sh /build/ready.sh /build/score.sh /opt/mlperf-docker/
cp -R /build/modules/. /opt/mlperf-docker/modules/

if [ -d /opt/rehearsal ]; then
  echo "REHEARSAL: what the scorers import is left out, the stand-in scores nothing"
else
  # shellcheck source=dockerfiles/_macros/site.sh
  . /build/site.sh
  python3 -m pip install --no-cache-dir --no-input --progress-bar off --no-compile --retries 3 --require-hashes \
    --no-deps --only-binary :all: --target /opt/harness --requirement /build/score.txt
  python3 /build/check_conf.py /build/seeds.json /opt/kilt/mlperf.conf
fi

{
  echo "# SDK"
  find /opt/qti-aic/versions -name '*.xml' -exec cat {} + 2>/dev/null || echo "no versions"
  echo "# pip, of the scorers"
  ls /opt/harness
  if command -v dpkg-query >/dev/null; then
    echo "# apt"
    # shellcheck disable=SC2016 # dpkg-query fills these in
    dpkg-query -W -f '${Package}=${Version}\n'
  fi
} >/opt/mlperf-docker/versions.txt
find /opt/harness /opt/kilt /opt/mlperf-docker -exec touch --no-dereference --date @315532800 {} +
