"""What the check of the catalogue says of an asset that does not keep to the form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.config.catalog import asset_names, load_asset
from orchestrator.config.consistency_assets import asset_faults
from orchestrator.config.images import image_entries
from orchestrator.domain.asset import (
    Asset,
    AssetFile,
    AssetKind,
    Gate,
    GateKind,
    Layout,
    Service,
    SubsetForm,
    Subsetting,
)
from orchestrator.domain.source import Bucket, Download, GitTree, HuggingFace, Prepared, Scripted, UserSupplied

SHA256 = "ab" * 32
FILE = (AssetFile(name="model.onnx"),)
PLAIN = Asset(
    name="thing",
    kind=AssetKind.MODEL,
    source=Download(urls=("https://example.org/model.onnx",), sha256=SHA256),
    files=FILE,
    licence="Apache-2.0",
    size_bytes=5,
)
GATE = Gate(kind=GateKind.TOKEN, text="a licence", apply_at="https://huggingface.co/o/n", service=Service.HUGGINGFACE)
DATA = replace(PLAIN, kind=AssetKind.DATASET)


def faults_of(**changes: Any) -> list[str]:
    """The faults of an asset that differs from a good one by `changes`, beside the catalogue's own."""
    assets = {name: load_asset(name) for name in asset_names()}
    return list(asset_faults({**assets, "thing": replace(PLAIN, **changes)}, image_entries()))


def test_a_plain_entry_has_no_fault() -> None:
    assert faults_of() == []


def source(**changes: Any) -> Download:
    assert isinstance(PLAIN.source, Download)
    return replace(PLAIN.source, **changes)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"name": "a thing"}, "its name is none"),
    ({"licence": " "}, "says nothing of its licence"),
    ({"source": source(urls=())}, "names no address"),
    ({"source": source(urls=("ftp://example.org/x",))}, "is no web address"),
    ({"source": source(urls=("https://user:word@example.org/x",))}, "is no web address"),
    ({"source": source(urls=("http://example.org/x",), sha256=None)}, "is not https, and no hash"),
    ({"source": source(urls=("https://a.org/x", "https://a.org/x"))}, "names an address twice"),
    ({"source": source(sha256="abc")}, "its sha256 is not one"),
    ({"source": source(md5="ABCD")}, "its md5 is not one"),
    ({"source": source(size_bytes=7)}, "has two sizes"),
    ({"source": source(size_bytes=5), "size_estimated": True}, "exact in the source"),
    ({"files": ()}, "is one file, so 'files' names it"),
    ({"size_bytes": None}, "has no size_bytes"),
    ({"size_bytes": 0}, "has a size that is none"),
    ({"size_bytes": None, "size_estimated": True, "note": "size unknown"}, "stands nowhere"),
    ({"files": (AssetFile(name="../model.onnx"),)}, "'../model.onnx' is no file of it"),
    ({"files": (AssetFile(name="/model.onnx"),)}, "'/model.onnx' is no file of it"),
    ({"files": (AssetFile(name="model.onnx", sha256="x"),)}, "model.onnx: its sha256 is not one"),
    ({"layout": (Layout(pattern="/etc/*"),)}, "'/etc/*' is no pattern"),
    ({"layout": (Layout(pattern="*.jpg", count=0),)}, "0 files are none"),
    ({"layout": (Layout(pattern="model.onnx"),)}, "names 'model.onnx' twice"),
    ({"gate": GATE, "redistributable": True}, "is gated, so it is not redistributable"),
    ({"gate": replace(GATE, apply_at="http://huggingface.co/o/n")}, "is no https address"),
    ({"gate": replace(GATE, text="")}, "its gate says nothing"),
    ({"gate": replace(GATE, apply_at="https://huggingface.co.evil.org/o")}, "one applies at huggingface.co.evil.org"),
    ({"gate": replace(GATE, service=None)}, "does not say whose"),
    ({"source": HuggingFace(repository="o")}, "is no OWNER/NAME"),
    ({"source": HuggingFace(repository="o/n", revision="main")}, "is not a full commit id"),
    (
        {"source": HuggingFace(repository="o/n"), "gate": replace(GATE, kind=GateKind.FORM, service=None)},
        "its service is huggingface",
    ),
    ({"source": Bucket(uri="https://example.org/metadata/x")}, "is no metadata file of a bucket"),
    ({"source": Bucket(uri="http://example.org/metadata/x.uri")}, "is no metadata file of a bucket"),
    ({"source": GitTree(repository="git@example.org:o/n", commit="a" * 40)}, "is no https address"),
    ({"source": GitTree(repository="https://example.org/o/n", commit="abc")}, "'abc' is not a full commit id"),
    ({"source": GitTree(repository="https://e.org/o/n", commit="a" * 40, paths=("../x",))}, "is no path inside"),
    ({"source": UserSupplied(how="ask somebody")}, "does not say how a user gets it"),
    ({"source": Prepared(step="s", image="nowhere", inputs=())}, "the image 'nowhere', which does not exist"),
    ({"source": Prepared(step="s", image="generic-prepare", inputs=("gone",))}, "made from 'gone'"),
    ({"source": Prepared(step="s", image="generic-prepare", inputs=("thing",))}, "is made from itself"),
    (
        {"source": Scripted(image="generic-prepare", commands=(("make", "{in:gone}", "{out}"),))},
        "reads '{in:gone}', which is none of its inputs",
    ),
    (
        {"source": Scripted(image="generic-prepare", commands=(("make", "{out}"),), rounds=("v9.9",))},
        "the unknown round 'v9.9'",
    ),
    ({"aliases": ("imagenet",)}, "its alias 'imagenet' is one of imagenet-2012-val, too"),
    ({"aliases": ("squad-v1.1-dev",)}, "its alias 'squad-v1.1-dev' is the name of another"),
    ({"aliases": ("a b",)}, "'a b' is no name"),
    ({"subset": Subsetting(form=SubsetForm.LIST, index="model.onnx")}, "only data sets have parts"),
    ({"kind": AssetKind.DATASET, "subset": Subsetting(form=SubsetForm.LIST)}, "names the index"),
    (
        {"kind": AssetKind.DATASET, "subset": Subsetting(form=SubsetForm.JSON, index="other.json")},
        "cut by 'other.json', which is none of its files",
    ),
    (
        {"kind": AssetKind.DATASET, "subset": Subsetting(form=SubsetForm.FILES, index="model.onnx")},
        "names their folder and no index",
    ),
    (
        {"kind": AssetKind.DATASET, "subset": Subsetting(form=SubsetForm.LIST, index="model.onnx", folder="../x")},
        "its subset's '../x' is no path inside it",
    ),
]


@pytest.mark.parametrize(("changes", "says"), CASES, ids=[says for _, says in CASES])
def test_a_fault_of_an_entry_is_named(changes: dict[str, Any], says: str) -> None:
    found = faults_of(**changes)
    assert [line for line in found if line.startswith("assets/thing: ") and says in line], found
