"""A smaller data set of the first samples of another, asked for as `NAME@500`. Pure; the step that makes it is ours."""

from __future__ import annotations

from orchestrator.domain.asset import Asset, AssetKind
from orchestrator.domain.source import Prepared
from orchestrator.domain.terms import Evidence
from orchestrator.errors import UsageError

STEP, IMAGE = "subset", "generic-prepare"
_AT = "@"
_LARGEST = 10**7


def split_name(name: str) -> tuple[str, str | None]:
    """`imagenet@500` as ("imagenet", "500"); the second is None where no part is asked for."""
    base, at, count = name.partition(_AT)
    return base, count if at else None


def first_samples(asset: Asset, count: str) -> Asset:
    """The entry of the first `count` samples of a data set, named `NAME@COUNT`.

    UsageError when `count` is no number above 0, or the catalogue does not say how the data set lists its samples.
    """
    name = f"{asset.name}{_AT}{count}"
    if not (count.isascii() and count.isdecimal() and 0 < int(count) <= _LARGEST and count == str(int(count))):
        raise UsageError(f"'{name}': '{count}' is no number of samples", hint=f"for example {asset.name}@500")
    if asset.kind is not AssetKind.DATASET or asset.subset is None:
        raise UsageError(
            f"'{asset.name}' cannot be cut to {count} samples: the catalogue does not say how it lists them",
            hint="take it whole; 'mlperf-docker datasets list' marks those that can be cut",
        )
    told = asset.subset
    named = {"form": told.form.value, "index": told.index, "folder": told.folder, "count": count}
    return Asset(
        name=name,
        kind=AssetKind.DATASET,
        source=Prepared(
            step=STEP,
            image=IMAGE,
            inputs=(asset.name,),
            parameters=tuple((key, value) for key, value in named.items() if value is not None),
        ),
        licence=asset.licence,
        redistributable=asset.redistributable,
        note=f"the first {count} samples of {asset.name}",
        evidence=Evidence.PUBLISHED,
    )
