#!/bin/sh
# Build step of the stand-in for AMD's images: main.py and every accuracy script that any of them has; one is refused
# where the image that is stood in for has none. The host tuning script refuses to run at all.
set -eu
mkdir -p /lab-mlperf-inference/code/scripts /lab-mlperf-inference/setup /lab-mlperf-inference/results /model /data
cp /opt/rehearsal/amd/main.py /lab-mlperf-inference/code/main.py
for name in check_llama2_accuracy_scores setup_llama2_accuracy_env check_mixtral_accuracy_scores \
  check_gptoss_accuracy_scores check_deepseek_accuracy_scores setup_deepseek_accuracy_env \
  check_llama3_1_8b_accuracy_scores; do
  ln -s /opt/rehearsal/amd/call.sh "/lab-mlperf-inference/code/scripts/$name.sh"
done
cp /opt/rehearsal/amd/runtime_tunables.sh /lab-mlperf-inference/setup/runtime_tunables.sh
