#!/bin/sh
# Build step: gdb and strace, with the libraries the image lacks, unpacked under /tools/usr.
set -eu

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends --download-only gdb strace

mkdir -p /tools/usr
for package in /var/cache/apt/archives/*.deb; do
  dpkg-deb --extract "$package" /tools
done

# /lib is a link to /usr/lib in the image: what packages still ship there goes to where the link leads.
if [ -d /tools/lib ]; then
  cp -a /tools/lib/. /tools/usr/lib/
fi
rm -rf /tools/usr/share/doc /tools/usr/share/man /tools/usr/share/locale /tools/usr/share/info
