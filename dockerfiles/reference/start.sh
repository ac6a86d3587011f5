#!/bin/sh
# start.sh [-c FOLDER] [-l NAME=TARGET]... [-w NAME=FILE]... [-o FILE] COMMAND...: run a harness the way it expects.
#   -c  work in a writable copy of the harness' folder (links to its files): some read and write beside themselves
#   -l  in that copy NAME is a link to TARGET, there or not
#   -w  in that copy NAME is a copy of FILE that the harness may write to
#   -o  keep what the command prints in FILE as well, once it has ended well
set -eu

output=
while getopts c:l:w:o: option; do
  case $option in
    c)
      mkdir -p /tmp/work
      cp -as "$OPTARG/." /tmp/work/
      cd /tmp/work
      ;;
    l) ln -sfn "${OPTARG#*=}" "${OPTARG%%=*}" ;;
    w)
      cp "${OPTARG#*=}" "${OPTARG%%=*}"
      chmod u+w "${OPTARG%%=*}"
      ;;
    o) output=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))

if [ -z "$output" ]; then
  exec "$@"
fi

rm -f "$output"
status=0
"$@" >"$output.part" 2>&1 || status=$?
cat "$output.part"
if [ "$status" -ne 0 ]; then
  exit "$status"
fi
mv "$output.part" "$output"
