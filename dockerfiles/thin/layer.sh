#!/bin/sh
# Build step of the thin layer over a vendor's image. Usage: layer.sh ENTRY ROUND [TUNING_SCRIPT]...
# Notes what the layer stands for, puts a guard before scripts that tune the host, checks that the LoadGen in the image
# is the round's, and writes down every version that was found.
set -eu

entry=$1
round=$2
shift 2
folder=/opt/mlperf-docker
chmod 0755 "$folder" "$folder"/*
printf 'entry %s\nround %s\n' "$entry" "$round" >"$folder/layer.txt"

for script in "$@"; do
  if [ -f "$script" ] && [ ! -f "${script%.sh}.vendor.sh" ]; then
    mv "$script" "${script%.sh}.vendor.sh"
    cp "$folder/tuning.sh" "$script"
    chmod 0755 "$script"
    echo "guarded $script" >>"$folder/layer.txt"
  fi
done

loadgen() {
  for python in python python3 python3.11 python3.13 /opt/conda/bin/python; do
    if command -v "$python" >/dev/null 2>&1 && "$python" -c 'import mlperf_loadgen' >/dev/null 2>&1; then
      if [ "$round" = v4.1 ]; then
        echo "$python: this LoadGen reads its seeds from mlperf.conf; they are checked in its logs"
      else
        "$python" "$folder/check_seeds.py" "$folder/seeds.json" >&2 || return 1
        echo "$python: seeds of $round"
      fi
      return 0
    fi
  done
  echo "no Python finds LoadGen here (a harness in C++ has its own): its seeds are checked in its logs"
}

found=$(loadgen)
{
  echo "# LoadGen"
  echo "$found"
  echo "# python"
  (python --version || python3 --version) 2>&1 || true
  echo "# pip"
  (python -m pip list --disable-pip-version-check --format freeze ||
    python3 -m pip list --disable-pip-version-check --format freeze) 2>/dev/null || echo "none"
  echo "# distribution"
  # shellcheck disable=SC2016 # dpkg-query fills these in
  dpkg-query -W -f '${Package}=${Version}\n' 2>/dev/null || rpm -qa 2>/dev/null | sort || echo "none"
} >"$folder/versions.txt"
