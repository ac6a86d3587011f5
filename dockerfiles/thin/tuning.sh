#!/bin/bash
# Stands where the vendor has a script that writes sysctls, CPU governors and caches of the host. Left out unless asked
# for (`--set host_tuning=yes` with `--privileges vendor`); the vendor's own script lies beside it.
vendor="$(dirname "$(readlink -f "$0")")/$(basename "$0" .sh).vendor.sh"
if [ "${MLPERF_DOCKER_HOST_TUNING:-no}" = "yes" ]; then
  echo "mlperf-docker: host tuning was asked for: $vendor" >&2
  exec bash "$vendor" "$@"
fi
echo "mlperf-docker: host tuning left out ($(basename "$0") would change this machine's settings)" >&2
