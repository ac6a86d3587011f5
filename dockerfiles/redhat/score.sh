#!/bin/sh
# score.sh FILE COMMAND...: keep what an official scorer prints in FILE once it has ended well.
# numpy 2 prints np.int64(8167644) where the submission checker looks for a number; the published scripts rewrite that
# line in the same way.
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
sed -E 's/np\.(int|float)[0-9]+\(([0-9.]+)\)/\2/g' "$target.part" >"$target.done"
rm "$target.part"
mv "$target.done" "$target"
