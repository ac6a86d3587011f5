#!/bin/sh
# Build step of the stand-in: the command `vllm`, and files that take the place of the published clients where the
# recipe would clone them (dockerfiles/_macros/clone.sh looks into /opt/rehearsal/source).
set -eu

printf '#!/bin/sh\nexec python3 /opt/rehearsal/redhat/serve.py "$@"\n' >/usr/local/bin/vllm
chmod 0755 /usr/local/bin/vllm

stub() {
  mkdir -p "$1"
  for name in $2; do
    cat >"$1/$name" <<EOF
"""REHEARSAL: stands in for the published file of this name; nothing of it is in here."""

import sys

sys.path.insert(0, "/opt/rehearsal/redhat")

import $3

$3.main("$name", sys.argv[1:])
EOF
  done
}

red_hat=/opt/rehearsal/source/redhat/closed/RedHat/code/llama3.1-8b
reference=/opt/rehearsal/source/inference/language/llama2-70b
stub $red_hat "SUT_VLLM_SingleReplica.py SUT_VLLM_SingleReplica_Server.py" client
stub $red_hat evaluation.py scorer
stub $reference main.py client
stub $reference evaluate-accuracy.py scorer
