#!/bin/sh
# Build step of the stand-in: files that take the place of the repositories where the recipe would clone them
# (dockerfiles/_macros/clone.sh looks into /opt/rehearsal/source).
set -eu

chmod 0755 /opt/rehearsal/qualcomm/install_program.sh
source=/opt/rehearsal/source
mkdir -p $source/kilt/plugins/nms-abp/data $source/protobuf
echo "REHEARSAL: no priors" >$source/kilt/plugins/nms-abp/data/retinanet_priors.bin
stub() {
  mkdir -p "$source/inference/$1"
  cat >"$source/inference/$1/$2" <<EOF
"""REHEARSAL: stands in for the published file of this name; nothing of it is in here."""

import sys

sys.path.insert(0, "/opt/rehearsal/qualcomm")

import scorer

scorer.main("$2", sys.argv[1:])
EOF
}
stub vision/classification_and_detection/tools accuracy-imagenet.py
stub vision/classification_and_detection/tools accuracy-openimages.py
stub language/bert accuracy-squad.py
echo "# REHEARSAL: the seeds of the stand-in are compiled into its LoadGen" >$source/inference/mlperf.conf
