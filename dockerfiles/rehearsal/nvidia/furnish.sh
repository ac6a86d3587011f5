#!/bin/sh
# Build step of the stand-in for NVIDIA's base image: a Python with pip, `make` and `git` of our own, and the repositories
# that this `git` knows. Usage: furnish.sh ROUND
set -eu

round=$1
here=/opt/rehearsal/nvidia
python3 -m venv /opt/venv
for name in make git; do
  printf '#!/bin/sh\nPYTHONPATH=/opt/rehearsal exec /opt/venv/bin/python %s/%s.py "$@"\n' "$here" "$name" >"/usr/local/bin/$name"
  chmod 0755 "/usr/local/bin/$name"
done

printf '%s\n' "$round" >"$here/round"
tree=/opt/rehearsal/repositories/inference_results_$round/closed/NVIDIA
mkdir -p "$tree/docker/common" "$tree/scripts/custom_systems" "$tree/code/common/systems" "$tree/systems"
printf '%s\n' "$round" >"$tree/VERSION"
for name in apt pip misc; do
  cp "$here/install_deps.sh" "$tree/docker/common/install_${name}_deps.sh"
done
cp "$here/install_deps.sh" "$tree/docker/common/install_mitten.sh"
: >"$tree/scripts/__init__.py"
: >"$tree/scripts/custom_systems/__init__.py"
cp "$here/add_custom_system.py" "$tree/scripts/custom_systems/add_custom_system.py"
if [ "$round" = v5.1 ]; then
  for scenario in Offline Server Interactive; do
    mkdir -p "$tree/configs/B200-SXM-180GBx8/$scenario"
    for benchmark in llama2-70b llama3_1-8b; do
      cp "$here/shipped_config.py" "$tree/configs/B200-SXM-180GBx8/$scenario/$benchmark.py"
    done
  done
fi
mkdir -p /opt/rehearsal/repositories/inference/loadgen
echo "stand-in: LoadGen comes as a wheel" >/opt/rehearsal/repositories/inference/loadgen/README
chmod -R a+rX /opt/rehearsal
