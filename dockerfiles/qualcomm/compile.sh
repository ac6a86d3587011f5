#!/bin/sh
# compile.sh FOLDER COMMAND...: run qaic-exec, whose output folder must not be there, and believe the program it left.
set -eu

folder=$1
shift
rm -rf "$folder"
"$@"
if [ ! -f "$folder/programqpc.bin" ]; then
  echo "error: qaic-exec ended well and left no $folder/programqpc.bin" >&2
  exit 1
fi
