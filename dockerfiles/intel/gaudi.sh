#!/bin/bash
# Runs one of Intel's Gaudi scripts with the environment that its guide asks for: `init_env` is to be sourced, the
# checkpoint is cached once in each container, and what cached it is ended. Usage: gaudi.sh SCRIPT
set -e
cd /workspace
export CHECKPOINT_PATH=${CHECKPOINT_PATH:-/model/Llama-2-70b-chat-hf/}
# shellcheck source=/dev/null
source init_env
python load_model.py
pkill -9 -f python || true
exec bash "$@"
