#!/bin/sh
# Build step in a stage that is thrown away: compiler, unpacker, and what the SDKs' own installers expect.
set -eu

if [ -d /opt/rehearsal ]; then
  echo "REHEARSAL: no compiler is fetched, the stand-in brings its program"
  exit 0
fi

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
  acl ca-certificates cmake g++ kmod make pciutils python3 python3-pip python3-setuptools sudo udev unzip
