#!/bin/sh
# Takes the place of the compiler in a rehearsal. Usage: install_program.sh SOURCES OUT
set -eu

sources=$1 out=$2
for benchmark in resnet50 bert retinanet; do
  mkdir -p "$out/$benchmark"
  cat >"$out/$benchmark/run.out" <<EOF
#!/opt/venv/bin/python
"""REHEARSAL: stands in for KILT's program of $benchmark."""

import sys

sys.path.insert(0, "/opt/rehearsal/qualcomm")

import kilt

kilt.main("$benchmark", sys.argv[1:])
EOF
  chmod 0755 "$out/$benchmark/run.out"
done
cp "$sources/inference/mlperf.conf" "$out/"
cp "$sources/kilt/plugins/nms-abp/data/retinanet_priors.bin" "$out/data/"
echo "REHEARSAL: stand-in programs are in $out"
