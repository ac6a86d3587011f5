#!/bin/sh
# Build step: clone.sh URL REVISION FOLDER SUBMODULES [PATH...]: the files of a repository at exactly one revision.
# SUBMODULES are names separated by blanks. Runs in a stage that is thrown away.
set -eu

url=$1 revision=$2 folder=$3 submodules=$4
shift 4

# A rehearsal's stand-in brings what takes the place of a vendor's repository: nothing is fetched then.
stand_in=/opt/rehearsal/source/$(basename "$folder")
if [ -d "$stand_in" ]; then
  echo "REHEARSAL: $stand_in takes the place of $url"
  mkdir -p "$folder"
  cp -a "$stand_in/." "$folder/"
  exit 0
fi

if [ -z "$revision" ]; then
  echo "error: no revision of $url is known for this round: give a clone with --source" >&2
  exit 1
fi

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh
if [ -f /tmp/site-ca.pem ]; then
  export GIT_SSL_CAINFO=/tmp/site-ca.pem
fi

if ! command -v git >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "error: the base image has neither git nor apt-get: give a clone with --source" >&2
    exit 1
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ca-certificates git
fi

git init -q "$folder"
git -C "$folder" remote add origin "$url"
git -C "$folder" fetch -q --depth 1 origin "$revision"
if [ "$#" -eq 0 ]; then
  set -- .
fi
git -C "$folder" -c advice.detachedHead=false checkout -q FETCH_HEAD
for name in $submodules; do
  git -C "$folder" submodule -q update --init --depth 1 -- "$name"
done
git -C "$folder" rev-parse HEAD

# Only what is needed stays, and nothing of git: LoadGen and others look for it and call a clean tree modified.
kept=$(mktemp -d)
for path in "$@"; do
  mkdir -p "$kept/$(dirname "$path")"
  cp -a "$folder/$path" "$kept/$(dirname "$path")/"
done
rm -rf "$folder"
mv "$kept" "$folder"
find "$folder" -depth -name .git -exec rm -rf {} +
chmod -R a+rX "$folder"
