"""ImageNet's validation pictures from the user's own archive, and its calibration lists, on generated stand-ins."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.preparation.__main__ import main

NAMES = tuple(f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, 5))


def archive(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A tar like ILSVRC2012_img_val.tar; a picture's bytes are its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ILSVRC2012_img_val.tar"
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return path


def labels(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "val.txt").write_text("".join(f"{name} {number * 7}\n" for number, name in enumerate(names)))
    (folder / "train.txt").write_text("not read\n")
    return folder


def step(name: str, output: Path, count: str, *inputs: Path) -> int:
    output.mkdir()
    words = [word for number, path in enumerate(inputs) for word in ("--input", f"in{number}={path}")]
    return main([name, *words, "--output", str(output), "--set", f"count={count}"])


def validation(tmp_path: Path) -> Path:
    archive(tmp_path / "tar")
    out = tmp_path / "val"
    assert step("imagenet-validation", out, "4", tmp_path / "tar", labels(tmp_path / "aux")) == 0
    return out


def test_the_archive_becomes_a_folder_with_val_map(tmp_path: Path) -> None:
    out = validation(tmp_path)
    assert sorted(path.name for path in out.iterdir()) == sorted([*NAMES, "val_map.txt"])
    assert (out / "val_map.txt").read_text() == "".join(f"{name} {7 * n}\n" for n, name in enumerate(NAMES))
    assert all((out / name).read_bytes() == name.encode() for name in NAMES)


def test_a_folder_of_pictures_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "val").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "pictures" / "val" / name).write_text(name)
    out = tmp_path / "out"
    assert step("imagenet-validation", out, "4", tmp_path / "pictures", labels(tmp_path / "aux")) == 0
    assert (out / NAMES[3]).read_text() == NAMES[3]


@pytest.mark.parametrize(
    ("names", "count", "words"),
    [
        (NAMES[:3], "4", f"1 of 4 pictures are not in the archive, such as {NAMES[3]}"),
        (NAMES, "50000", "val.txt names 4 pictures; 50000 are expected"),
        (NAMES, "many", "'count', a whole number"),
    ],
)
def test_an_archive_that_is_not_whole_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], count: str, words: str
) -> None:
    archive(tmp_path / "tar", names)
    out = tmp_path / "out"
    assert step("imagenet-validation", out, count, tmp_path / "tar", labels(tmp_path / "aux")) == 2
    assert words in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_a_path_in_the_archive_never_decides_where_bytes_go(tmp_path: Path) -> None:
    archive(tmp_path / "tar", (f"../../{NAMES[0]}", f"/etc/{NAMES[1]}", *NAMES[2:], "../../evil"))
    out = tmp_path / "out"
    assert step("imagenet-validation", out, "4", tmp_path / "tar", labels(tmp_path / "aux")) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted([*NAMES, "val_map.txt"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aux", "out", "tar"]


def test_a_file_that_is_no_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tar").mkdir()
    (tmp_path / "tar" / "ILSVRC2012_img_val.tar").write_bytes(b"no tar at all" * 100)
    assert step("imagenet-validation", tmp_path / "out", "4", tmp_path / "tar", labels(tmp_path / "aux")) == 2
    assert "ILSVRC2012_img_val.tar is not a readable tar archive" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["{}\n", "{} 3\n"], ids=["names alone", "names and numbers"])
def test_a_calibration_list_keeps_its_order_and_the_right_labels(tmp_path: Path, line: str) -> None:
    val = validation(tmp_path)
    (tmp_path / "list").mkdir()
    wanted = (NAMES[2], NAMES[0])
    (tmp_path / "list" / "cal_image_list_option_1.txt").write_text("".join(line.format(name) for name in wanted))
    out = tmp_path / "calibration"
    assert step("imagenet-calibration", out, "2", val, tmp_path / "list") == 0
    assert (out / "val_map.txt").read_text() == f"{NAMES[2]} 14\n{NAMES[0]} 0\n"
    assert sorted(path.name for path in out.iterdir()) == sorted([*wanted, "val_map.txt"])


def test_a_calibration_picture_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    val = validation(tmp_path)
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "cal_image_list_option_2.txt").write_text("ILSVRC2012_val_00050001.JPEG\n")
    assert step("imagenet-calibration", tmp_path / "out", "1", val, tmp_path / "list") == 2
    assert "such as ILSVRC2012_val_00050001.JPEG" in capsys.readouterr().err
