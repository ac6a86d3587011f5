#!/bin/sh
# Build step: what the lock files pin: the Python packages, and recordings with transcripts out of Debian's packages.
set -eu

sh /build/packages.sh

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

material=/opt/mlperf-docker/material
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$material" /tmp/debs
cd /tmp/debs
apt-get update -qq
while read -r name version hash; do
  apt-get download -qq -o APT::Sandbox::User=root "$name=$version"
  file=$(find . -name "${name}_*.deb")
  echo "$hash  $file" | sha256sum --check --quiet
  dpkg-deb --extract "$file" "$material"
done </build/debs.txt

# Recordings, transcripts and licences are kept; acoustic and language models are not needed.
rm -rf "$material/usr/share/pocketsphinx/model" "$material/usr/share/pocketsphinx/test/data/tidigits"
find "$material" -name '*.bin' -delete
find "$material" -type d -empty -delete
find "$material" -exec touch --no-dereference --date @315532800 {} +
