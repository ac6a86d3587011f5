#!/bin/bash
# Stand-in for the script with which AMD's instructions tune the host: a rehearsal never does, and being called is a fault.
echo "REHEARSAL REFUSED: runtime_tunables.sh would have changed this machine's settings" >&2
exit 64
