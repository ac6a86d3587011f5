"""The first N samples of a data set, with an index that fits: for debugging, never for a result that counts.

Parameters: `form` (list, coco, json, squad, files), `index` (the file that lists the samples), `folder` (which holds
what it names; the index's own when left out) and `count`. Everything that the index does not name is left out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

Samples = list[Any]


@dataclass(frozen=True)
class Wanted:
    """What was asked for: where the data set lies, paths relative to it, how many samples."""

    top: Path
    index: PurePosixPath | None
    folder: PurePosixPath
    count: int

    def read(self) -> str:
        """The index's text."""
        if self.index is None:
            raise BadInput("this form needs 'index', the file that lists the samples")
        path = self.top if self.top.is_file() else self.top / self.index
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BadInput(f"the data set has no index {self.index}") from None
        except UnicodeDecodeError as error:
            raise BadInput(f"{self.index} is not text: {error}") from error

    def first(self, samples: Samples) -> Samples:
        """The first `count` of them; BadInput when there are fewer."""
        if len(samples) < self.count:
            raise BadInput(f"the data set has {len(samples)} samples; {self.count} are asked for")
        return samples[: self.count]


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """Write the smaller data set: the index under its own path, and the files that it names."""
    form, wanted = _asked(inputs, dict(parameters))
    _FORMS[form](wanted, output)
    say(f"wrote the first {wanted.count} samples")


def _list(wanted: Wanted, output: Path) -> None:
    """Lines whose first word is a file."""
    lines = wanted.first([line for line in wanted.read().splitlines() if line.strip()])
    _copy(wanted, output, (line.split()[0] for line in lines))
    _write(wanted, output, "".join(f"{line}\n" for line in lines))


def _coco(wanted: Wanted, output: Path) -> None:
    """COCO's form: the annotations of the images that stay; everything else as it was."""
    document = _json(wanted, dict)
    images = wanted.first(_member(wanted, document, "images"))
    kept = {image["id"] for image in images}
    found = [each for each in _member(wanted, document, "annotations") if each["image_id"] in kept]
    _copy(wanted, output, (image["file_name"] for image in images))
    _write(wanted, output, _dumped({**document, "images": images, "annotations": found}))


def _array(wanted: Wanted, output: Path) -> None:
    """A JSON array: its first members."""
    _write(wanted, output, _dumped(wanted.first(_json(wanted, list))))


def _squad(wanted: Wanted, output: Path) -> None:
    """SQuAD's form: the first questions, in order, with the paragraphs that they are about."""
    document = _json(wanted, dict)
    rest = wanted.count
    articles = []
    for article in _member(wanted, document, "data"):
        paragraphs = []
        for paragraph in article["paragraphs"] if rest else ():
            questions = paragraph["qas"][:rest]
            rest -= len(questions)
            if questions:
                paragraphs.append({**paragraph, "qas": questions})
        if paragraphs:
            articles.append({**article, "paragraphs": paragraphs})
    if rest:
        raise BadInput(f"the data set has {wanted.count - rest} questions; {wanted.count} are asked for")
    _write(wanted, output, _dumped({**document, "data": articles}))


def _files(wanted: Wanted, output: Path) -> None:
    """Files of the folder in the order of their names."""
    folder = wanted.top / wanted.folder
    if not folder.is_dir():
        raise BadInput(f"the data set has no folder {wanted.folder}")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _copy(wanted, output, wanted.first([name for name in names if not name.startswith(".")]))


_FORMS: dict[str, Callable[[Wanted, Path], None]] = {
    "list": _list,
    "coco": _coco,
    "json": _array,
    "squad": _squad,
    "files": _files,
}


def _asked(inputs: Inputs, parameters: dict[str, str]) -> tuple[str, Wanted]:
    form, count = parameters.pop("form", ""), parameters.pop("count", "")
    index, folder = parameters.pop("index", None), parameters.pop("folder", None)
    if form not in _FORMS:
        raise BadInput(f"no form {form!r}; there are: {', '.join(_FORMS)}")
    if not count.isdigit() or int(count) < 1:
        raise BadInput(f"count must be a whole number of at least 1, not {count!r}")
    if parameters:
        raise BadInput(f"unknown parameter {sorted(parameters)[0]!r}; there are: form, index, folder, count")
    if len(inputs.places) != 1:
        raise BadInput(f"a subset is made of one data set, not of {len(inputs.places)}")
    path = _inner(index) if index is not None else None
    place = _inner(folder) if folder is not None else (path.parent if path is not None else PurePosixPath())
    return form, Wanted(next(iter(inputs.places.values())), path, place, int(count))


def _inner(text: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise BadInput(f"{text!r} leads out of the data set")
    return path


def _copy(wanted: Wanted, output: Path, names: Iterable[str]) -> None:
    for name in names:
        path = wanted.folder / _inner(name)
        source, target = wanted.top / path, output / path
        if not source.is_file():
            raise BadInput(f"the data set has no file {path}, which its index names")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _write(wanted: Wanted, output: Path, text: str) -> None:
    assert wanted.index is not None  # noqa: S101 - it was read
    target = output / wanted.index
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _json(wanted: Wanted, kind: type) -> Any:
    try:
        document = json.loads(wanted.read())
    except ValueError as error:
        raise BadInput(f"{wanted.index} is not JSON: {error}") from error
    if not isinstance(document, kind):
        raise BadInput(f"{wanted.index} holds no {'object' if kind is dict else 'array'}")
    return document


def _member(wanted: Wanted, document: dict[str, Any], name: str) -> Samples:
    found = document.get(name)
    if not isinstance(found, list):
        raise BadInput(f"{wanted.index} has no array '{name}'")
    return found


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
