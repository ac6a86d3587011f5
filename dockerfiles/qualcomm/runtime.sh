#!/bin/sh
# Build step in a stage that is thrown away: what the final image needs of the distribution (Python for the scorers,
# numactl), left in /delta, so that nothing of the site's network settings is in a layer of it.
set -eu

# Never empty: a COPY that changes nothing makes the classic builder lose a layer at the next one.
mkdir -p /delta/opt/mlperf-docker
if [ -d /opt/rehearsal ]; then
  echo "REHEARSAL: nothing is fetched" | tee /delta/opt/mlperf-docker/runtime.txt
  exit 0
fi

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

# shellcheck disable=SC2016 # dpkg-query fills these in
listed() { dpkg-query -W -f '${Package}\n' | LC_ALL=C sort; }
listed >/tmp/before
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
  libgomp1 libpci3 numactl pciutils python3 python3-distutils
listed >/tmp/after

LC_ALL=C comm -13 /tmp/before /tmp/after >/delta/opt/mlperf-docker/runtime.txt
xargs dpkg -L </delta/opt/mlperf-docker/runtime.txt | LC_ALL=C sort -u | while read -r path; do
  if [ ! -d "$path" ] || [ -L "$path" ]; then
    echo "${path#/}"
  fi
done >/tmp/files
tar --create --directory / --no-recursion --files-from /tmp/files var/lib/dpkg/status etc/alternatives |
  tar --extract --preserve-permissions --directory /delta
