"""The first N samples of a data set: every form keeps an index that fits its files, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.preparation.__main__ import main


def made(tmp_path: Path, source: Path, **parameters: str) -> Path:
    """The subset as the step writes it."""
    output = tmp_path / "made"
    output.mkdir()
    words = [word for key, value in parameters.items() for word in ("--set", f"{key}={value}")]
    assert main(["subset", "--input", f"data={source}", "--output", str(output), *words]) == 0
    return output


def refused(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str], **parameters: str) -> str:
    """What the step says when it refuses; then nothing was written."""
    output = tmp_path / "made"
    output.mkdir()
    words = [word for key, value in parameters.items() for word in ("--set", f"{key}={value}")]
    assert main(["subset", "--input", f"data={source}", "--output", str(output), *words]) == 2
    assert list(output.iterdir()) == []
    return capsys.readouterr().err


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_first_lines_of_a_list_keep_their_files(tmp_path: Path) -> None:
    data = filled(tmp_path / "data", "a.JPEG", "b.JPEG", "c.JPEG", "README")
    (data / "val_map.txt").write_text("c.JPEG 7\na.JPEG 1\nb.JPEG 2\n")
    out = made(tmp_path, data, form="list", index="val_map.txt", folder=".", count="2")
    assert tree(out) == {"val_map.txt", "c.JPEG", "a.JPEG"}
    assert (out / "val_map.txt").read_text() == "c.JPEG 7\na.JPEG 1\n"
    assert (out / "c.JPEG").read_text() == "c.JPEG"


def test_coco_keeps_the_annotations_of_the_images_that_stay(tmp_path: Path) -> None:
    data = filled(tmp_path / "data", *(f"validation/data/{name}.jpg" for name in "abc"))
    document = {
        "info": {"version": "v6"},
        "categories": [{"id": 0, "name": "Airplane"}],
        "images": [{"id": number, "file_name": f"{name}.jpg"} for number, name in enumerate("abc", 1)],
        "annotations": [{"id": number, "image_id": number % 3 + 1, "category_id": 0} for number in range(9)],
    }
    filled(data, "annotations/labels.json")
    (data / "annotations" / "labels.json").write_text(json.dumps(document))
    out = made(tmp_path, data, form="coco", index="annotations/labels.json", folder="validation/data", count="2")
    assert tree(out) == {"annotations/labels.json", "validation/data/a.jpg", "validation/data/b.jpg"}
    found = json.loads((out / "annotations" / "labels.json").read_text())
    assert [image["id"] for image in found["images"]] == [1, 2]
    assert {each["image_id"] for each in found["annotations"]} == {1, 2}
    assert len(found["annotations"]) == 6
    assert (found["info"], found["categories"]) == (document["info"], document["categories"])


def test_an_array_keeps_its_first_members_as_they_are(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    articles = [{"input": f"Zürich {number}", "tok_input": [number, 2]} for number in range(5)]
    (data / "cnn_eval.json").write_text(json.dumps(articles))
    out = made(tmp_path, data, form="json", index="cnn_eval.json", count="3")
    assert json.loads((out / "cnn_eval.json").read_text()) == articles[:3]


def test_squad_keeps_the_first_questions_and_their_paragraphs(tmp_path: Path) -> None:
    def paragraph(name: str, count: int) -> dict[str, object]:
        return {"context": name, "qas": [{"id": f"{name}{number}"} for number in range(count)]}

    articles = [
        {"title": "one", "paragraphs": [paragraph("a", 2), paragraph("b", 2)]},
        {"title": "two", "paragraphs": [paragraph("c", 3)]},
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "dev-v1.1.json").write_text(json.dumps({"version": "1.1", "data": articles}))
    out = made(tmp_path, data, form="squad", index="dev-v1.1.json", count="3")
    found = json.loads((out / "dev-v1.1.json").read_text())
    assert found == {"version": "1.1", "data": [{"title": "one", "paragraphs": [paragraph("a", 2), paragraph("b", 1)]}]}


def test_files_are_taken_in_the_order_of_their_names(tmp_path: Path) -> None:
    data = filled(tmp_path / "data", "videos/b.mp4", "videos/a/z.mp4", "videos/c.mp4", "other.txt")
    out = made(tmp_path, data, form="files", folder="videos", count="2")
    assert tree(out) == {"videos/a/z.mp4", "videos/b.mp4"}


def test_a_single_file_of_the_user_s_is_its_own_index(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("[1, 2, 3]")
    out = made(tmp_path, mine, form="json", index="cnn_eval.json", count="1")
    assert json.loads((out / "cnn_eval.json").read_text()) == [1]


@pytest.mark.parametrize(
    ("text", "parameters", "words"),
    [
        ("a.JPEG 1\n", {"count": "2"}, "the data set has 1 samples; 2 are asked for"),
        ("../secret 1\n", {"count": "1"}, "'../secret' leads out of the data set"),
        ("/etc/passwd 1\n", {"count": "1"}, "'/etc/passwd' leads out of the data set"),
        ("gone.JPEG 1\n", {"count": "1"}, "has no file gone.JPEG, which its index names"),
        ("a.JPEG 1\n", {"count": "0"}, "count must be a whole number of at least 1"),
        ("a.JPEG 1\n", {"count": "1", "form": "parquet"}, "no form 'parquet'"),
        ("a.JPEG 1\n", {"count": "1", "index": "gone.txt"}, "has no index gone.txt"),
        ("a.JPEG 1\n", {"count": "1", "index": "../x"}, "'../x' leads out of the data set"),
        ("a.JPEG 1\n", {"count": "1", "form": "coco"}, "is not JSON"),
        ("[]", {"count": "1", "form": "squad"}, "holds no object"),
        ("{}", {"count": "1", "form": "coco"}, "has no array 'images'"),
        ("{}", {"count": "1", "form": "json"}, "holds no array"),
        ("a.JPEG 1\n", {"count": "1", "colour": "red"}, "unknown parameter 'colour'"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, parameters: dict[str, str], words: str
) -> None:
    data = filled(tmp_path / "data", "a.JPEG")
    (data / "val_map.txt").write_text(text)
    said = refused(tmp_path, data, capsys, **{"form": "list", "index": "val_map.txt", **parameters})
    assert words in said
    assert len(said.splitlines()) == 1
