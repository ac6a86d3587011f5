#!/bin/bash
# One step of a run inside NVIDIA's image, in /work (its source tree, on the host) and /out (this step's folder).
# Usage: step.sh build VARIABLE=VALUE... | expect PATH... | configure SYSTEM register|named WHY
#        step.sh make TARGET... [VARIABLE=VALUE...] | versions
set -euo pipefail

here=/opt/mlperf-docker/nvidia
out=/out
left_over="audit.config audit.conf verify_accuracy.txt verify_performance.txt mlperf_log_accuracy_baseline.json
  accuracy.txt predictions.json"

fail() {
  echo "error: $*" >&2
  exit 3
}

if [ "${1:-}" = versions ]; then
  exec cat "$here/versions.txt"
fi
if [ "$(id -u)" -eq 0 ]; then
  fail "NVIDIA's harness refuses to run as root: give the container a user"
fi
if [ ! -w /work ]; then
  fail "/work cannot be written by uid $(id -u): give its folder on the host to that user"
fi

# The caller's number need not be a user of the image; what asks for a name or a home finds these.
export HOME=/work/build/home USER=mlperf LOGNAME=mlperf TMPDIR=/work/build/tmp PYTHONUSERBASE=/work/build/home/.local
export PATH="$PYTHONUSERBASE/bin:$PATH"

clean() {
  # Without a word: a forgotten audit file would turn the next run into an audit run.
  for name in $left_over; do
    rm -f "/work/$name"
  done
}

place() {
  # Generated files of this step, over the vendor's tree.
  if [ -d "$out/work" ]; then
    cp -R "$out/work/." /work/
  fi
}

tree() {
  if [ ! -f /work/VERSION ]; then
    cp -R "$here/tree/." /work/
  fi
  mkdir -p /work/build "$HOME" "$TMPDIR"
}

build() {
  PATH="$here/bin:$HOME/alternatives:$PATH" make build "$@"
  # `make build` compiles LoadGen once more, from the revision it was given: it has to be the round's as well.
  local conf=()
  if [ "$(cat VERSION)" = v4.1 ]; then
    conf=(build/inference/mlperf.conf)
  fi
  python3 "$here/check_seeds.py" "$here/seeds.json" "${conf[@]}"
}

expect() {
  local missing=""
  for path in "$@"; do
    if [ ! -e "$MLPERF_SCRATCH_PATH/$path" ]; then
      missing="$missing $path"
    fi
  done
  if [ -n "$missing" ]; then
    fail "the scratch folder $MLPERF_SCRATCH_PATH lacks:$missing (NVIDIA's README of the benchmark says where it comes" \
      "from; --set scratch=DIR names a folder that has it)"
  fi
}

configure() {
  local system=$1 how=$2 why=$3
  place
  echo "mlperf-docker: $why"
  if [ "$how" = register ]; then
    # Asks for a name, then whether to write stubs (no: ours are there). A system it knows: it asks once, and 'n' ends it.
    printf '%s\nn\nn\n' "$system" | python3 -m scripts.custom_systems.add_custom_system
  fi
}

cd /work
tree
clean
trap clean EXIT
command=$1
shift
case $command in
  build) build "$@" ;;
  expect) expect "$@" ;;
  configure) configure "$@" ;;
  make)
    place
    # The audit targets write below build/ whatever LOG_DIR says.
    mkdir -p "$out/compliance"
    rm -rf build/compliance_logs
    ln -s "$out/compliance" build/compliance_logs
    make "$@" &
    child=$!
    # shellcheck disable=SC2064 # the number is known by now
    trap "kill -TERM $child 2>/dev/null || true" HUP INT TERM
    status=0
    wait "$child" || status=$?
    exit "$status"
    ;;
  *) fail "unknown step '$command'" ;;
esac
