"""Make stand-ins for Qualcomm's two SDK archives, for rehearsals: nothing of Qualcomm's is in them.

Usage: sdk_archives.py FOLDER; it gets qaic-apps-0.0.0-stand-in.zip and qaic-platform-sdk-0.0.0-stand-in.zip.
"""

import sys
import zipfile
from pathlib import Path

_SHELL = "#!/bin/sh\n# REHEARSAL: a stand-in; nothing of Qualcomm's is in here.\nset -eu\n"
_INSTALL = _SHELL + "mkdir -p /opt/qti-aic\ncp -R files/. /opt/qti-aic/\nchmod -R a+rX /opt/qti-aic\n"
_VERSION = "<versions><ci_build><base_version>0.0.0</base_version><build_id>stand-in</build_id></ci_build></versions>\n"
_COMPILER = _SHELL + 'exec /opt/venv/bin/python /opt/rehearsal/qualcomm/qaic_exec.py "$@"\n'
_UTIL = _SHELL + '[ "$*" = "-q" ] || { echo "REHEARSAL REFUSED: qaic-util $*" >&2; exit 64; }\n'
_CARDS = "for card in 0 1 2 3 4 5 6 7; do echo \"QID $card\"; echo '  Status:Ready'; done\n"

_APPS = {
    "qaic-apps-0.0.0/install.sh": _INSTALL + "chmod 0755 /opt/qti-aic/exec/qaic-exec\n",
    "qaic-apps-0.0.0/files/exec/qaic-exec": _COMPILER,
    "qaic-apps-0.0.0/files/versions/apps.xml": _VERSION,
}
_DEB = "qaic-platform-sdk-0.0.0/x86_64/deb"
_PLATFORM = {
    f"{_DEB}/install.sh": _SHELL
    + '[ "$*" = "--container" ] || { echo "REHEARSAL REFUSED: install.sh $*" >&2; exit 64; }\n'
    + _INSTALL.removeprefix(_SHELL)
    + "chmod 0755 /opt/qti-aic/tools/qaic-util\n",
    f"{_DEB}/files/tools/qaic-util": _UTIL + _CARDS,
    f"{_DEB}/files/dev/lib/x86_64/libQAic.so": "REHEARSAL: no library\n",
    f"{_DEB}/files/versions/platform.xml": _VERSION,
}


def archives(folder: Path) -> "dict[str, Path]":
    """Both archives by the names that `--sdk` takes."""
    made = {}
    for name, stem, files in (
        ("qaic-apps", "qaic-apps", _APPS),
        ("qaic-platform", "qaic-platform-sdk", _PLATFORM),
    ):
        made[name] = folder / f"{stem}-0.0.0-stand-in.zip"
        with zipfile.ZipFile(made[name], "w") as archive:
            for path, text in files.items():
                archive.writestr(zipfile.ZipInfo(path), text)
    return made


if __name__ == "__main__":
    for option, path in archives(Path(sys.argv[1])).items():
        print(f"--sdk {option}={path}")
