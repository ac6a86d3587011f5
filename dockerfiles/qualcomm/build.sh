#!/bin/sh
# Build step in a stage that is thrown away: LoadGen and KILT from their sources, one program for each benchmark.
# Usage: build.sh SOURCES OUT SDK DEVICE
#   SOURCES  holds kilt, inference (loadgen, mlperf.conf) and, for QAIC, protobuf
#   OUT      gets BENCHMARK/run.out, mlperf.conf and data/ (the priors of RetinaNet)
#   DEVICE   QAIC, or DUMMY: KILT's own device that computes nothing (for checks without an SDK)
# Flags and the programs' name are those of mlperf-automations, script/app-mlperf-inference-qualcomm.
set -eu

sources=$1 out=$2 sdk=$3 device=$4
kilt=$sources/kilt loadgen=$sources/inference/loadgen
jobs=$(nproc)

mkdir -p "$out/data"
if [ -x /opt/rehearsal/qualcomm/install_program.sh ]; then
  exec /opt/rehearsal/qualcomm/install_program.sh "$sources" "$out"
fi

work=$(mktemp -d)

build_loadgen() {
  mkdir "$work/loadgen"
  # Stubs in place of revisions: the sources are no repository here.
  (cd "$work/loadgen" && python3 "$loadgen/version_generator.py" "$work/loadgen/version_generated.cc" "$loadgen") \
    >/dev/null 2>&1
  # shellcheck disable=SC2016 # the inner shell expands them
  for file in "$loadgen"/*.cc "$work/loadgen/version_generated.cc"; do
    echo "$file"
  done | xargs -P "$jobs" -I '{}' sh -c \
    'g++ -std=c++14 -O3 -I"$1" -c "$2" -o "$3/$(basename "$2" .cc).o"' build "$loadgen" '{}' "$work/loadgen"
  ar rcs "$work/libmlperf_loadgen.a" "$work"/loadgen/*.o
}

# The SDK's generated headers want exactly this release; no distribution has it.
build_protobuf() {
  cmake -S "$sources/protobuf/cmake" -B "$work/protobuf" -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_WITH_ZLIB=OFF \
    -DBUILD_SHARED_LIBS=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=14 \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_PREFIX="$work/install" >/dev/null
  cmake --build "$work/protobuf" --target install --parallel "$jobs" >/dev/null
}

# program BENCHMARK NAME [FLAG...]
program() {
  benchmark=$1 folder=$out/$2
  shift 2
  mkdir -p "$folder"
  set -- "$@" "-I$kilt" "-I$loadgen" "$kilt/benchmarks/harness/harness.cpp"
  [ "$benchmark" != STANDALONE_BERT ] || set -- "$@" "$kilt/benchmarks/standalone/bert/pack.cpp"
  if [ "$device" = QAIC ]; then
    set -- "$@" "-I$work/install/include" "-I$sdk/dev/inc" "-L$work/install/lib" "-L$sdk/dev/lib/x86_64" \
      -DMLC_MLPERF_BACKEND_GLOW -DMLC_MLPERF_DEVICE_QAIC "$kilt/devices/qaic/api/master/QAicInfApi.cpp"
    libraries="-lQAic -lprotobuf"
  else
    libraries=""
  fi
  # shellcheck disable=SC2086 # several words
  g++ -w -O3 -std=c++17 -fpermissive -DKILT_CONFIG_FROM_ENV -DKILT_CONFIG_TRANSLATE_X \
    "-DKILT_BENCHMARK_$benchmark" "-DKILT_DEVICE_$device" "$@" -o "$folder/run.out" \
    "$work/libmlperf_loadgen.a" $libraries -lpthread -ldl
}

build_loadgen
[ "$device" != QAIC ] || build_protobuf
program STANDALONE_CLASSIFICATION resnet50
program STANDALONE_BERT bert
program STANDALONE_OBJECT_DETECTION retinanet -DMODEL_RX50 -DSDK_1_11_X
cp "$sources/inference/mlperf.conf" "$out/"
cp "$kilt"/plugins/nms-abp/data/retinanet_priors.bin "$out/data/"
rm -rf "$work"
