#!/bin/sh
# Build step: the part of the harness that knows no runtime, so that images of all runtimes share it.
set -eu

cmake -S /harness/src -B /harness/build -DLOADGEN=/loadgen/source -DLOADGEN_LIBRARY=/loadgen/libloadgen.a
cmake --build /harness/build --parallel "$(nproc)"
