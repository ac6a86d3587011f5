"""Lay KiTS19 out as preprocess.py reads it: links to volume and segmentation in a folder for each case of a list.

Usage: kits19_cases.py CASES.json TARGET FOLDER...  Volumes are `case_N/imaging.nii.gz`, as the data set's repository
has them, or `case_N.nii.gz`; case_00400 is case_00185 once more, as the benchmark's rules have it.
"""

import json
import sys
from pathlib import Path

TWICE = {"case_00400": "case_00185"}


def main(cases: Path, target: Path, folders: list[Path]) -> None:
    """Make the links; one line names every file that is not there."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.nii.gz")):
            found.setdefault(_role(path), path)
    missing = []
    for case in json.loads(cases.read_text()):
        origin = TWICE.get(case, case)
        for name in ("imaging.nii.gz", "segmentation.nii.gz"):
            path = found.get((case, name)) or found.get((origin, name))
            if path is None:
                missing.append(f"{origin}/{name}")
                continue
            (target / case).mkdir(parents=True, exist_ok=True)
            (target / case / name).symlink_to(path)
    if missing:
        sys.exit(f"error: no input holds {', '.join(missing)}")


def _role(path: Path) -> tuple[str, str]:
    if path.name in ("imaging.nii.gz", "segmentation.nii.gz"):
        return path.parent.name, path.name
    return path.name.removesuffix(".nii.gz"), "imaging.nii.gz"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(word) for word in sys.argv[3:]])
