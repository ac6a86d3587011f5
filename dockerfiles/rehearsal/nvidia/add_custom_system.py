"""Stands in for scripts/custom_systems/add_custom_system.py of NVIDIA's tree: asks the same questions, knows no system.

The name's pattern and the file it writes are those of the published script (see interface.tsv).
"""

import json
import re
from pathlib import Path

PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
LIST = Path("code/common/systems/custom_list.json")

known = json.loads(LIST.read_text()) if LIST.exists() else {}
if known:
    print(f"=> System ID '{list(known)[-1]}' in existing custom list matches the detected system. Exiting.")
    raise SystemExit(0)
name = ""
while not PATTERN.fullmatch(name):
    name = input("=> Specify the system ID to use for the current system: ")
LIST.parent.mkdir(parents=True, exist_ok=True)
LIST.write_text(json.dumps({name: {"stand_in": True}}))
print("=> This script will generate Benchmark Configuration stubs for the detected system.")
answer = None
while answer not in ("", "y", "n"):
    answer = input("Continue? [Y/n]: ")
if answer != "n":
    raise SystemExit("REHEARSAL REFUSED: stubs would replace the generated configuration")
