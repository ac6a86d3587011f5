#!/bin/sh
# Build step in a stage that is thrown away: run the installers of the two SDK archives in /sdk/qaic-apps and
# /sdk/qaic-platform, which fill /opt/qti-aic. Usage: sdk.sh PROCESSOR (as the platform SDK names its folders)
set -eu

processor=$1

fail() {
  echo "error: $*" >&2
  exit 1
}

unpack() {
  if command -v unzip >/dev/null; then
    unzip -q -o "$1" -d "$2"
  else
    python3 -m zipfile -e "$1" "$2"
  fi
}

# The archives of Qualcomm's package manager hold those of the SDKs' own names.
for name in qaic-apps qaic-platform; do
  archive=$(find "/sdk/$name" -type f | head -n 1)
  [ -n "$archive" ] || fail "no archive was given: --sdk $name=FILE"
  mkdir -p "/tmp/$name"
  unpack "$archive" "/tmp/$name" || fail "$(basename "$archive") (--sdk $name) is no zip archive"
  find "/tmp/$name" -name 'qaic-*.zip' >"/tmp/$name.inner"
  while read -r inner; do
    unpack "$inner" "/tmp/$name"
  done <"/tmp/$name.inner"
done

installer=$(find /tmp/qaic-apps -maxdepth 3 -name install.sh | head -n 1)
[ -n "$installer" ] || fail "--sdk qaic-apps: the archive has no install.sh; is it the Apps SDK?"
(cd "$(dirname "$installer")" && bash ./install.sh)

installer=$(find /tmp/qaic-platform -path "*/$processor/deb/install.sh" | head -n 1)
[ -n "$installer" ] || fail "--sdk qaic-platform: the archive has no $processor/deb/install.sh; is it the Platform SDK?"
(cd "$(dirname "$installer")" && bash ./install.sh --container)

[ -e /opt/qti-aic/exec/qaic-exec ] || fail "the Apps SDK did not install /opt/qti-aic/exec/qaic-exec"
[ -e /opt/qti-aic/tools/qaic-util ] || fail "the Platform SDK did not install /opt/qti-aic/tools/qaic-util"
[ -d "/opt/qti-aic/dev/lib/$processor" ] || fail "the Platform SDK did not install /opt/qti-aic/dev/lib/$processor"
