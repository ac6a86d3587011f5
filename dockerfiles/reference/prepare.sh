#!/bin/sh
# Build step: prepare.sh "PROGRAMS" [MODULE...]: the locked Python packages, and Debian's PROGRAMS with the libraries
# that the base lacks, unpacked under /opt/programs. Every MODULE must be there then.
set -eu

programs=$1
shift

sh /build/packages.sh
/opt/venv/bin/python /build/check_modules.py "$@"

if [ -z "$programs" ]; then
  exit 0
fi

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # names of packages, one word each
apt-get install -y -qq --no-install-recommends --download-only $programs

mkdir -p /opt/programs/usr
for package in /var/cache/apt/archives/*.deb; do
  dpkg-deb --extract "$package" /opt/programs
  dpkg-deb --show "$package" >>/opt/mlperf-docker/versions.txt
done

# /lib is a link to /usr/lib in the image: what packages still ship there goes to where the link leads.
if [ -d /opt/programs/lib ]; then
  cp -a /opt/programs/lib/. /opt/programs/usr/lib/
fi
rm -rf /opt/programs/usr/share/doc /opt/programs/usr/share/man /opt/programs/usr/share/locale /opt/programs/usr/share/info
