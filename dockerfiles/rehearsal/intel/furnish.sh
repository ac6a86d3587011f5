#!/bin/sh
# Build step of the stand-in for Intel's images: every script that any of them has, as a link; it is refused where the
# image that is stood in for has none. Python's name and sudo are what the scripts expect.
set -eu
mkdir -p /workspace/scripts /workspace/calibration /workspace/systems /data /model /logs
for name in run_mlperf.sh run_mlperf_llama2-70b.sh run_mlperf_llama3_1-8b.sh run_mlperf_llama3_1-8b-edge.sh \
  initialize.sh download_model.sh download_dataset.sh run_calibration.sh scripts/download_model.sh \
  scripts/download_dataset.sh scripts/run_calibration.sh calibration/quantize_70b.sh calibration/quantize_8b.sh \
  run_performance_offline.sh run_performance_server.sh run_accuracy_offline.sh run_accuracy_server.sh; do
  ln -s /opt/rehearsal/intel/call.sh "/workspace/$name"
done
cp /opt/rehearsal/intel/run_clean.sh /workspace/run_clean.sh
: >/workspace/init_env
printf '"""Stand-in: caches nothing."""\n' >/workspace/load_model.py
