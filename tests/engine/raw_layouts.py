"""Small stand-ins of raw data sets, in their own layout. They prove that scripts run; nothing in them is real data.

Formats that need a library are written by programs that run in the image under test (`PROGRAMS`): `argv[1]` is the
folder to fill.
"""

from __future__ import annotations

import json
from pathlib import Path

KITS_CASES, KITS_CALIBRATION = ("case_00185", "case_00400"), ("case_00047",)
TRAIN_ARTICLES, VALIDATION_ARTICLES = 6, 3
ORIGINS = ("cot", "flan", "niv", "t0")
SAFE, UNSAFE = (1, 4, 5), (2, 3)  # COCO 2017's pictures by licence
OPENIMAGES = ("00a1", "00b2", "00c3")

PROGRAMS = {
    "volumes": """
import pathlib, sys
import nibabel, numpy
out = pathlib.Path(sys.argv[1])
grid = numpy.indices((60, 48, 40)).sum(0)
affine = numpy.array([[0, 0, -1.5, 0], [0, -1.5, 0, 0], [-3.0, 0, 0, 0], [0, 0, 0, 1.0]])
for number, case in enumerate(("case_00047", "case_00185")):
    volume = ((grid * (7 + number)) % 500 - 100).astype(numpy.int16)
    (out / "images").mkdir(exist_ok=True)
    (out / "data" / case).mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(volume, affine), out / "images" / f"{case}.nii.gz")
    label = (volume > 150).astype(numpy.uint8) + (volume > 300)
    nibabel.save(nibabel.Nifti1Image(label, affine), out / "data" / case / "segmentation.nii.gz")
""",
    "speech": """
import pathlib, sys
import numpy, soundfile
out = pathlib.Path(sys.argv[1]) / "LibriSpeech"
said = {"dev-clean/84/121123": (12, 14, 10, 35), "dev-other/116/288045": (5,)}
for folder, seconds in said.items():
    place = out / folder
    place.mkdir(parents=True)
    stem = "-".join(folder.split("/")[1:])
    lines = []
    for number, length in enumerate(seconds):
        tone = 0.1 * numpy.sin(numpy.arange(16000 * length) * (0.05 + 0.01 * number))
        soundfile.write(place / f"{stem}-{number:04}.flac", tone, 16000)
        lines.append(f"{stem}-{number:04} WORDS OF PIECE {number}\\n")
    (place / f"{stem}.trans.txt").write_text("".join(lines))
""",
    "articles": """
import pathlib, sys
import pandas
out = pathlib.Path(sys.argv[1]) / "3.0.0"
out.mkdir()
for split, count in (("train", 6), ("validation", 3), ("test", 1)):
    rows = [
        {"article": f"Article {n} of {split}.", "highlights": f"In short {n}.", "id": f"{split}{n}"}
        for n in range(count)
    ]
    pandas.DataFrame(rows).to_parquet(out / f"{split}-00000-of-00001.parquet")
""",
    "questions": """
import pathlib, sys
import pandas
rows = []
for origin in ("cot", "flan", "niv", "t0"):
    for n in range(6300):
        prompt = "You are a helpful assistant." if n % 2 else ""
        if origin in ("niv", "t0") and not prompt:
            prompt = "Answer."
        rows.append({
            "id": f"{origin}.{n}", "system_prompt": prompt, "question": f"what is {n % 50} of {origin}",
            "response": "it is a long word of words" if n % 100 else "Straße",
        })
pandas.DataFrame(rows).to_parquet(pathlib.Path(sys.argv[1]) / "1M-GPT4-Augmented.parquet")
""",
    "tokenizer": """
import json, pathlib, sys
from tokenizers import Tokenizer, models, pre_tokenizers
out = pathlib.Path(sys.argv[1])
words = "what is of it a long word words You are helpful assistant . Summarize the news article In short".split()
vocabulary = ["<unk>", "<s>", "</s>", *dict.fromkeys(words), *(str(n) for n in range(50))]
tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
tokenizer.save(str(out / "tokenizer.json"))
special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
(out / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special}))
""",
    "openimages": """
import pathlib, sys
import cv2, numpy
out = pathlib.Path(sys.argv[1])
(out / "annotations").mkdir()
place = out / "bucket" / "open-images-dataset" / "validation"
place.mkdir(parents=True)
head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
lines = [head]
for number, name in enumerate(("00a1", "00b2", "00c3")):
    cv2.imwrite(str(place / f"{name}.jpg"), numpy.full((60, 80 + number, 3), 40 * number, numpy.uint8))
    lines.append(f"{name},activemil,/m/0cmf2,1,0.25,0.5,0.1,0.9,0,0,0,0,0")
lines.append("00d4,activemil,/m/none,1,0.25,0.5,0.1,0.9,0,0,0,0,0")
(out / "annotations" / "validation-annotations-bbox.csv").write_text("\\n".join(lines) + "\\n")
(out / "annotations" / "class-descriptions-boxable.csv").write_text("/m/0cmf2,Airplane\\n/m/none,Nothing\\n")
train = place.parent / "train"
train.mkdir()
for name in ("00a1", "00c3"):
    (train / f"{name}.jpg").write_bytes((place / f"{name}.jpg").read_bytes())
(out / "annotations" / "oidv6-train-annotations-bbox.csv").write_text("\\n".join(lines) + "\\n")
(out / "list").mkdir()
(out / "list" / "openimages_cal_images_list.txt").write_text("00a1.jpg\\n00c3.jpg\\n")
""",
}


def coco_2017(folder: Path) -> tuple[Path, Path]:
    """Pictures (bytes that only count) and annotations of five, of which three have a safe licence."""
    urls = {1: "http://creativecommons.org/licenses/by/2.0/", 2: "http://creativecommons.org/licenses/by-nc/2.0/"}
    images = [
        {"id": number, "file_name": f"{number:012}.jpg", "license": 1 if number in SAFE else 2}
        for number in sorted(SAFE + UNSAFE)
    ]
    pictures, annotations = folder / "coco-2017-val", folder / "coco-2017-annotations"
    (pictures / "val2017").mkdir(parents=True)
    (annotations / "annotations").mkdir(parents=True)
    for image in images:
        (pictures / "val2017" / str(image["file_name"])).write_bytes(b"picture %d" % image["id"])
    document = {
        "licenses": [{"id": number, "url": url} for number, url in urls.items()],
        "categories": [{"id": 1, "name": "thing"}],
        "images": images,
        "annotations": [{"id": number, "image_id": number % 5 + 1, "category_id": 1} for number in range(10)],
    }
    (annotations / "annotations" / "instances_val2017.json").write_text(json.dumps(document))
    return pictures, annotations


def coco_2014(folder: Path, captions: tuple[int, ...]) -> Path:
    """captions_train2014.json with these captions and some others."""
    numbers = [*captions, *range(1, 20)]
    images = [
        {"id": 10**6 + n, "file_name": f"{n}.jpg", "height": 3, "width": 4, "coco_url": "u"} for n in set(numbers)
    ]
    found = [{"id": n, "image_id": 10**6 + n, "caption": f"a thing\n {n}"} for n in dict.fromkeys(numbers)]
    place = folder / "coco-2014-annotations" / "annotations"
    place.mkdir(parents=True)
    (place / "captions_train2014.json").write_text(json.dumps({"images": images, "annotations": found}))
    return place.parent
