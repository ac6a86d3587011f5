#!/bin/bash
# Build step of the final stage: takes away what the installing took away, and sees that what arrived is whole.
set -euo pipefail

here=/opt/mlperf-docker/nvidia
while IFS= read -r path; do
  rm -f -- "$path"
done <"$here/gone"
rm -f "$here/gone" "$here/install.sh" "$here/clone.sh" "$here/site.sh"
ldconfig
chmod -R a+rX "$here"
chmod 0755 "$here/step.sh" "$here/bin/sudo"
# The scratch folder has the caller's own path inside as well; it may lie below a home folder that the image closes.
chmod a+x /root
find /home -mindepth 1 -maxdepth 1 -type d -exec chmod a+x {} +
python3 -c 'import mlperf_loadgen'
