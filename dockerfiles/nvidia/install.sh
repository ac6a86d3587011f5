#!/bin/bash
# Build step over NVIDIA's base image, in a stage that is thrown away: its own installing scripts in the order of its own
# Dockerfile, with what is known to go wrong put right, then the round's LoadGen, last. What changed is left in /delta.
# Usage: install.sh ROUND MITTEN_REVISION GPU_FAMILY
set -euo pipefail

round=$1 mitten=$2 family=$3
here=/opt/mlperf-docker/nvidia

# shellcheck source=dockerfiles/_macros/site.sh
. /build/site.sh
if [ -f /tmp/site-ca.pem ]; then
  export GIT_SSL_CAINFO=/tmp/site-ca.pem
fi

case "$(uname -m):$BUILD_CONTEXT" in
  x86_64:x86_64 | aarch64:aarch64-*) ;;
  *)
    echo "error: this base is made for $BUILD_CONTEXT, and this machine is $(uname -m)" >&2
    exit 1
    ;;
esac

listed() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /site -o -path /build -o -path /delta \
    -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf -o -path /root/.cache \
    -o -path "$here/inference" \) -prune -o "$@" \( -type f -o -type l \) -print
}
mkdir -p /delta/files
listed -true | LC_ALL=C sort >/tmp/before
touch /tmp/marker
sleep 1

vendor() {
  # Upstream appends exports to a file that is named by $ENV: in a folder of its own that harms nothing.
  mkdir -p /tmp/nvidia-install
  cd /tmp/nvidia-install
  cp -R "$here/tree/docker/common/." .
  ln -sfn /tmp/nvidia-install/patches /tmp/patches

  # NGC pins versions that contradict the harness's own.
  if [ -f /etc/pip/constraint.txt ]; then
    : >/etc/pip/constraint.txt
  fi

  # In upstream's order. What is left out: docker inside the container (only mixtral's scoring wants it, through the
  # engine's socket), and adding the caller as a user with a password and sudo (the container runs under their numbers).
  local scripts="install_apt_deps.sh install_pip_deps.sh install_misc_deps.sh"
  if [ "$INSTALL_RGAT_DEPS" = 1 ]; then
    scripts="$scripts install_mpi4py.sh install_ccache.sh"
  else
    scripts="$scripts install_tensorrt.sh install_mpi4py.sh install_nixl.sh install_ccache.sh"
  fi
  for script in $scripts; do
    if [ -f "$script" ]; then
      echo "mlperf-docker: $script"
      DEBIAN_FRONTEND=noninteractive bash "$script"
    fi
  done

  if [ -n "$mitten" ] && [ -f install_mitten.sh ]; then
    # Upstream clones it over an ssh agent although its address is https.
    git clone -q https://github.com/NVIDIA/mitten.git /tmp/mitten
    MITTEN_HASH=$mitten bash install_mitten.sh
  fi
  if [ "$INSTALL_RGAT_DEPS" = 1 ] && [ -f install_rgat_deps.sh ]; then
    # It asks nvidia-smi for the family of the GPU; an image is built where there is none.
    mkdir -p /tmp/shims
    printf '#!/bin/sh\necho "    Product Architecture                  : %s"\n' "$family" >/tmp/shims/nvidia-smi
    chmod +x /tmp/shims/nvidia-smi
    PATH="/tmp/shims:$PATH" bash install_rgat_deps.sh
  fi
}

loadgen() {
  # After everything that could bring another: the published wheel where there is one for this Python and processor,
  # else compiled from the rules repository. Its seeds tell whether it is the round's.
  local how="--only-binary :all: --require-hashes --requirement /build/requirements.txt"
  if [ "$(uname -m)" != x86_64 ]; then
    how=$here/inference/loadgen
  fi
  # shellcheck disable=SC2086 # several words
  python3 -m pip install --disable-pip-version-check --no-cache-dir --no-input --progress-bar off --no-deps \
    --force-reinstall $how
  # Up to v4.1 LoadGen has no seeds of its own: the rules repository's mlperf.conf brings them.
  if [ "$round" = v4.1 ]; then
    python3 /build/check_seeds.py /build/seeds.json "$here/inference/mlperf.conf"
  else
    python3 /build/check_seeds.py /build/seeds.json
  fi
}

delta() {
  cd /
  listed -cnewer /tmp/marker | sed 's|^/||' | tar --create --directory / --no-recursion --files-from - |
    tar --extract --preserve-permissions --directory /delta/files
  listed -true | LC_ALL=C sort >/tmp/after
  LC_ALL=C comm -23 /tmp/before /tmp/after >/delta/gone
  mkdir -p "/delta/files$here"
  cp -R "$here/tree" "/delta/files$here/"
}

vendor
cd /
loadgen
{
  echo "# round $round"
  echo "# python"
  python3 --version
  echo "# pip"
  python3 -m pip list --disable-pip-version-check --format freeze
  echo "# apt"
  dpkg-query -W -f '${Package}=${Version}\n'
} >"$here/versions.txt"
delta
