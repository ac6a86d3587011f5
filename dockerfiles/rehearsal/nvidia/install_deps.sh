#!/bin/bash
# Stands in for one of NVIDIA's installing scripts: it wants what that script reads.
set -euo pipefail
: "${BUILD_CONTEXT:?is read by the scripts that this one stands in for}"
echo "REHEARSAL: $0 stands in for NVIDIA's, for $BUILD_CONTEXT"
