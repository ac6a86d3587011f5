#!/bin/sh
# score.sh FILE COMMAND...: keep what an official scorer prints in FILE once it has ended well.
set -eu

target=$1
shift
rm -f "$target"
status=0
"$@" >"$target.part" 2>&1 || status=$?
cat "$target.part"
if [ "$status" -ne 0 ]; then
  exit "$status"
fi
mv "$target.part" "$target"
