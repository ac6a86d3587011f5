"""Stands in for the SDK's compiler in a rehearsal: its published options, a file in place of a program."""

import sys
from pathlib import Path

import interface
import refusals

_READ = ("-model", "-load-profile", "-node-precision-info")


def main(words: "list[str]") -> None:
    """Calibrate (-dump-profile) or compile (-aic-binary-dir); a list's value follows its `=`."""
    known = interface.TABLE["qaic-exec"]
    interface.check({})
    interface.say("qaic-exec")
    found: "dict[str, str]" = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            refusals.refuse(f"qaic-exec: {word} is not documented (documented: {', '.join(sorted(known))})")
        found[name] = value
    for name in _READ:
        if name in found:
            interface.must_exist("qaic-exec", name, found[name])
    if "-dump-profile" in found:
        interface.must_exist("qaic-exec", "-input-list-file", found.get("-input-list-file", ""))
        Path(found["-dump-profile"]).write_text("# REHEARSAL: no profile\n")
        return
    folder = Path(found.get("-aic-binary-dir", ""))
    if "-compile-only" not in found or "-model" not in found or not folder.name:
        refusals.refuse("qaic-exec: neither calibrates nor compiles")
    if folder.exists():
        refusals.refuse(f"qaic-exec: {folder} is there already")
    folder.mkdir()
    (folder / "programqpc.bin").write_text("REHEARSAL: no program\n")


if __name__ == "__main__":
    main(sys.argv[1:])
