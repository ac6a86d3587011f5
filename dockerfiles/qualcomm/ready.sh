#!/bin/sh
# ready.sh COUNT: fail unless so many cards say that they are ready.
set -eu

status=$(/opt/qti-aic/tools/qaic-util -q | grep Status || true)
ready=$(printf '%s\n' "$status" | grep -c Ready || true)
echo "$ready of $1 cards are ready"
if [ "$ready" -lt "$1" ]; then
  printf '%s\n' "$status" >&2
  echo "error: $ready cards are ready, $1 are wanted; on the host: /opt/qti-aic/tools/qaic-util -q, and is the caller in" \
    "the group that owns the nodes?" >&2
  exit 1
fi
