"""Stands in for git in a rehearsal: has the stand-ins of NVIDIA's tree and of the rules repository, and no other."""

import shutil
import sys
from pathlib import Path

REPOSITORIES = Path("/opt/rehearsal/repositories")


def refuse(what: str) -> None:
    """End: the recipe used git in a way that was not foreseen."""
    sys.exit(f"REHEARSAL REFUSED: git {what}")


def held(url: str) -> Path:
    """The stand-in of a repository."""
    prefix = "https://github.com/mlcommons/"
    found = REPOSITORIES / url.removeprefix(prefix).removesuffix(".git")
    if not url.startswith(prefix) or not found.is_dir():
        refuse(f"knows no {url}")
    return found


def main(words: "list[str]") -> None:
    """The few commands that the recipe's clone.sh and install.sh use."""
    folder = Path.cwd()
    while words[:1] in (["-C"], ["-c"]):
        folder = Path(words[1]) if words[0] == "-C" else folder
        words = words[2:]
    words = [word for word in words if word != "-q"]
    state = folder / ".git"
    match words:
        case ["init", place]:
            (Path(place) / ".git").mkdir(parents=True)
        case ["remote", "add", "origin", url]:
            held(url)
            (state / "url").write_text(url)
        case ["fetch", "--depth", "1", "origin", revision]:
            (state / "revision").write_text(revision)
        case ["checkout", "FETCH_HEAD"]:
            shutil.copytree(held((state / "url").read_text()), folder, dirs_exist_ok=True)
        case ["rev-parse", "HEAD"]:
            print((state / "revision").read_text())
        case ["clone", "https://github.com/NVIDIA/mitten.git", place]:
            Path(place).mkdir(parents=True)
        case _:
            refuse(" ".join(words))


main(sys.argv[1:])
