#!/bin/sh
# Runs a vendor's command the way mlperf-docker needs it: puts files where that harness looks for them and takes them
# away again, fetches LoadGen's logs from where it leaves them, and gives what it wrote to the caller.
# Usage: enter.sh [OPTION VALUE]... -- COMMAND...
#   --place FROM=TO       copy a file before the command, remove it afterwards (a forgotten audit file makes audit runs)
#   --absent PATH         must not be there before the command: a forgotten audit file of an earlier run is removed
#   --scaled FROM=TO      write FROM as the [default] section that Intel's user_config.py scales by this machine's cores
#   --first SCRIPT        run with bash before the command; its failure ends the run
#   --recall FROM=TO      copy a folder before the command
#   --expect PATTERN      what --recall has to bring
#   --needed-by TEXT      who needs it (for the message)
#   --keep FROM=TO        copy a folder after a command that ended well
#   --gather PATTERN=TO   copy LoadGen's logs from the folders that match after the command, later ones over earlier
#   --owner UID:GID       who shall own what lies under --own
#   --own FOLDER          handed to --owner at the end, whatever happened
# Values hold neither blanks nor ':', '=' only as the separator.
set -eu

say() { echo "mlperf-docker: $*" >&2; }
fail() {
  say "error: $*"
  exit 3
}
source_of() { printf '%s' "${1%%=*}"; }
target_of() { printf '%s' "${1#*=}"; }

owner='' needed_by='the command' placed='' owned='' first='' recalled='' kept='' gathered='' scaled='' absent='' expected=''
while [ "$#" -gt 0 ]; do
  option=$1
  shift
  [ "$option" = "--" ] && break
  [ "$#" -gt 0 ] || fail "$option needs a value"
  case $option in
    --place) placed="$placed $1" ;;
    --absent) absent="$absent $1" ;;
    --scaled) scaled=$1 ;;
    --first) first="$first $1" ;;
    --recall) recalled="$recalled $1" ;;
    --expect) expected="$expected $1" ;;
    --needed-by) needed_by=$1 ;;
    --keep) kept="$kept $1" ;;
    --gather) gathered="$gathered $1" ;;
    --owner) owner=$1 ;;
    --own) owned="$owned $1" ;;
    *) fail "unknown option $option" ;;
  esac
  shift
done
[ "$#" -gt 0 ] || fail "no command"

# shellcheck disable=SC2317 # called by the trap
leave() {
  status=$?
  trap - EXIT HUP INT TERM
  for pair in $placed; do rm -f "$(target_of "$pair")"; done
  if [ -n "$owner" ]; then
    for folder in $owned; do
      # What is mounted read-only inside it is not ours to give.
      [ ! -e "$folder" ] || find "$folder" -writable -exec chown -h "$owner" {} + || say "warning: $folder keeps its owner"
    done
  fi
  exit "$status"
}
trap leave EXIT
child=''
# shellcheck disable=SC2317 # called by the trap
pass_on() {
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
  exit 143
}
trap pass_on HUP INT TERM

for path in $absent; do
  [ ! -e "$path" ] || { say "a forgotten $path is removed" && rm -f "$path"; }
done
for pair in $placed; do cp "$(source_of "$pair")" "$(target_of "$pair")"; done
if [ -n "$scaled" ]; then
  cores=$(lscpu -b -p=Core,Socket | grep -v '^#' | sort -u | wc -l)
  { echo "[default]" && echo "number_cores = $cores" && grep -v '^#' "$(source_of "$scaled")"; } >"$(target_of "$scaled")"
fi
for pair in $recalled; do
  from=$(source_of "$pair")
  to=$(target_of "$pair")
  [ ! -d "$from" ] || { mkdir -p "$to" && cp -R "$from/." "$to/"; }
done
for pattern in $expected; do
  # shellcheck disable=SC2086 # the pattern is to be expanded
  ls -d $pattern >/dev/null 2>&1 || fail "$needed_by compares with logs of the harness's own, and there are none at" \
    "$pattern: run modes performance and accuracy first, with the same system name"
done
for script in $first; do bash -i "$script" </dev/null || fail "$script failed"; done

# As the vendors' instructions do, in a shell that reads ~/.bashrc: some images set up their Python there.
# shellcheck disable=SC2016 # bash is to expand it
bash -i -c 'exec "$@"' bash "$@" </dev/null &
child=$!
status=0
wait "$child" || status=$?
child=''

for pair in $gathered; do
  to=$(target_of "$pair")
  # shellcheck disable=SC2046 # the pattern is to be expanded
  for folder in $(source_of "$pair"); do
    for file in "$folder"/mlperf_log_* "$folder"/accuracy.txt; do
      [ ! -f "$file" ] || { mkdir -p "$to" && cp "$file" "$to/"; }
    done
  done
done
if [ "$status" -eq 0 ]; then
  for pair in $kept; do
    from=$(source_of "$pair")
    [ ! -d "$from" ] || { mkdir -p "$(target_of "$pair")" && cp -R "$from/." "$(target_of "$pair")/"; }
  done
fi
exit "$status"
