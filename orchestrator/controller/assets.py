"""Models and data sets by themselves, without a run: which there are, what they cost, have them.

Plans before the first byte; fetching and checking are the cache's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.catalog import asset_names, benchmark_names, load_asset, load_benchmark, load_round, rounds
from orchestrator.config.settings import Settings
from orchestrator.controller.access import access_findings, gated
from orchestrator.controller.line import line_of
from orchestrator.controller.offering import Wanted, choose_offer
from orchestrator.controller.preflight import preflight_assets
from orchestrator.controller.space import amount, asset_needs, file_systems, space_findings
from orchestrator.domain.asset import Asset, AssetKind, PlannedAsset, ReadyAsset
from orchestrator.domain.benchmark import Benchmark, Offer
from orchestrator.domain.finding import Finding, Level
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.ports import Assets, Meter, Say, no_meter
from orchestrator.domain.source import Scripted, inputs_of, is_fetched, origin_of
from orchestrator.domain.subset import split_name
from orchestrator.domain.terms import EngineName
from orchestrator.errors import PreflightError, UsageError
from orchestrator.host.disks import disk

_WORTH_SAYING = frozenset({Level.NOTE, Level.WARNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for, planned; nothing has been fetched.

    `asked` stands in the order of the request, `needed` is what has to be made for it, in the order of making.
    `findings` say what stands in the way.
    """

    asked: tuple[PlannedAsset, ...]
    needed: tuple[PlannedAsset, ...]
    findings: tuple[Finding, ...]
    free_bytes: int
    cache: Path
    assets: Assets

    @property
    def fetch_bytes(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(item.fetch_bytes for item in self.needed if not item.present)

    @property
    def of_unknown_size(self) -> tuple[str, ...]:
        """Names of what must be fetched, and nobody says how big it is."""
        return tuple(item.asset.name for item in self.needed if not item.present and item.asset.transfer_bytes is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An asset and the models that use it, or what is made from it."""

    asset: Asset
    models: tuple[str, ...]


def round_of(model: str, round_name: str | None) -> str:
    """The round that is meant: the one named, else the default one, else the newest in which somebody runs the model.

    UsageError when the round that was named does not have it.
    """
    benchmark, round_ = load_benchmark(model), load_round(round_name)
    if round_name is not None and benchmark.rules_of(round_.name) is None:
        raise UsageError(
            f"'{benchmark.name}' is not part of round {round_.name}",
            hint=f"its rounds: {', '.join(sorted(benchmark.rules))}; choose one with --round",
        )
    there = [name for name in rounds() if benchmark.rules_of(name) is not None]
    run = [name for name in there if any(not offer.rounds or name in offer.rounds for offer in benchmark.offers)]
    return round_.name if round_name is not None or round_.name in (run or there) else (run or there)[-1]


def assets_of(
    model: str, asked: Wanted, *, round_name: str, asset_only: bool, calibration: bool = False
) -> tuple[Asset, ...]:
    """All assets of one way to run a model (the default one, unless `asked` names another); UsageError for none.

    `asset_only` leaves the data sets out; `calibration` adds the lists and sets for quantisation.
    """
    benchmark, round_ = load_benchmark(model), load_round(round_name)
    rules = benchmark.rules_of(round_.name)
    if rules is None:
        raise UsageError(f"'{benchmark.name}' is not part of round {round_.name}")
    if not benchmark.offers and asked == Wanted():
        return _of_nobody(benchmark, asset_only=asset_only, calibration=calibration)
    offer = choose_offer(asked, benchmark, round_, rules)
    names = list(_names_of(benchmark, offer, asset_only=asset_only))
    if calibration:
        names += benchmark.calibration
    if not names:
        wants = f" (you bring: {'; '.join(offer.needs)})" if offer.needs else ""
        raise UsageError(
            f"the catalogue names no {'weights' if asset_only else 'assets'} for '{benchmark.name}' with "
            f"{offer.implementation}/{offer.backend}{wants}",
            hint="choose another way with --implementation and --backend",
        )
    return tuple(load_asset(name) for name in dict.fromkeys(names))


def _of_nobody(benchmark: Benchmark, *, asset_only: bool, calibration: bool) -> tuple[Asset, ...]:
    """What the catalogue has of a model that nobody here runs: weights of its name, its data set."""
    weights = [benchmark.name] if benchmark.name in asset_names() else []
    names = [*weights, *(() if asset_only else (benchmark.dataset,)), *(benchmark.calibration if calibration else ())]
    return tuple(load_asset(name) for name in dict.fromkeys(names))


def _names_of(benchmark: Benchmark, offer: Offer, *, asset_only: bool) -> Iterator[str]:
    if offer.model is not None:
        yield offer.model
    if not asset_only:
        yield offer.dataset or benchmark.dataset
    for name in offer.assets:
        if not (asset_only and load_asset(name).kind is AssetKind.DATASET):
            yield name


def listed(
    kinds: Iterable[AssetKind], *, model: str | None = None, round_name: str | None = None
) -> tuple[Listed, ...]:
    """Assets of these kinds with the models that use them, by name; of one model, or of the models of one round."""
    wanted = frozenset(kinds)
    within = None if round_name is None else load_round(round_name).name
    names = (load_benchmark(model).name,) if model is not None else benchmark_names()
    used = {name: users for name, users in _users(names, within).items() if load_asset(name).kind in wanted}
    shown = sorted(used) if model is not None or within is not None else asset_names()
    found = ((load_asset(name), used.get(name, ())) for name in shown)
    return tuple(Listed(asset=asset, models=users) for asset, users in found if asset.kind in wanted)


def users_of(asset: Asset) -> tuple[str, ...]:
    """The models that use an asset, or what is made from it; of a part of a data set those of the whole."""
    base, _ = split_name(asset.name)
    return _users(benchmark_names(), None).get(base, ())


def _users(models: Iterable[str], round_name: str | None) -> Mapping[str, tuple[str, ...]]:
    """Asset name to the models that use it directly, or whose assets are made from it."""
    found: dict[str, dict[str, None]] = {}
    for model in models:
        benchmark = load_benchmark(model)
        if round_name is not None and benchmark.rules_of(round_name) is None:
            continue
        for name in every_asset(benchmark, round_name):
            found.setdefault(name, {})[benchmark.name] = None
    return {name: tuple(users) for name, users in found.items()}


def every_asset(benchmark: Benchmark, round_name: str | None = None) -> tuple[str, ...]:
    """Names of all assets that some way of running a benchmark takes, what they are made from included."""
    offers = [one for one in benchmark.offers if round_name is None or not one.rounds or round_name in one.rounds]
    named = [benchmark.dataset, *benchmark.calibration]
    named += [name for variant in benchmark.variants.values() if (name := variant.model) is not None]
    for offer in offers:
        named += [name for name in (offer.model, offer.dataset, *offer.assets) if name is not None]
    found: dict[str, None] = {}
    while named:
        name = named.pop(0)
        if name not in found:
            found[name] = None
            named += inputs_of(load_asset(name).source)
    return tuple(found)


def open_order(
    assets: Iterable[Asset],
    settings: Settings,
    *,
    engine: EngineName = EngineName.DOCKER,
    round_name: str | None = None,
    ask: bool = True,
    sources: tuple[tuple[str, Path], ...] = (),
) -> Order:
    """Plan what was asked for: costs, space, what stands in the way. Reads the cache, writes nothing.

    With `ask` the services that gate assets are asked whether they let this user in. `sources` are the user's clones
    of what scripts are taken from.
    """
    from orchestrator.controller.connect import connect_to

    assets = tuple(assets)
    name = round_that_makes(assets, load_round(round_name or settings.round).name, fixed=round_name is not None)
    store = connect_to(engine, settings, round_name=name, choice=ImageChoice(sources=sources)).assets
    plans = [store.plan(asset, load_asset) for asset in assets]
    needed = {item.path: item for plan in plans for item in store.needed(plan)}
    wanting = tuple(item for item in needed.values() if not item.present)
    systems = file_systems(asset_needs(needed.values(), settings.cache_dir))
    return Order(
        asked=tuple(plan[-1] for plan in plans),
        needed=tuple(needed.values()),
        findings=(*preflight_assets(wanting), *_access(wanting, settings, ask=ask), *space_findings(systems)),
        free_bytes=disk(settings.cache_dir).free_bytes,
        cache=settings.cache_dir,
        assets=store,
    )


def round_that_makes(assets: Iterable[Asset], name: str, *, fixed: bool) -> str:
    """The round in which all scripts that make the assets exist: `name`, else (unless it is `fixed`) the newest.

    UsageError when there is none: told before anything is fetched.
    """
    made = {one.name: one.source.rounds for one in _with_inputs(assets) if isinstance(one.source, Scripted)}
    bound = {maker: among for maker, among in made.items() if among}
    possible = [each for each in rounds() if all(each in among for among in bound.values())]
    if name in possible:
        return name
    if possible and not fixed:
        return possible[-1]
    told = "; ".join(f"{maker}: {', '.join(among)}" for maker, among in bound.items() if name not in among)
    raise UsageError(
        f"no script of round {name} makes what is asked for ({told})" if fixed else f"no one round makes all ({told})",
        hint="choose one of those with --round" if fixed else "ask for them one by one",
    )


def _with_inputs(assets: Iterable[Asset]) -> Iterator[Asset]:
    """The assets and all that they are made from."""
    waiting = list(assets)
    while waiting:
        asset = waiting.pop()
        yield asset
        waiting += [load_asset(name) for name in inputs_of(asset.source)]


def _access(wanting: tuple[PlannedAsset, ...], settings: Settings, *, ask: bool) -> tuple[Finding, ...]:
    behind_a_gate = gated(wanting) if ask else ()
    return access_findings(behind_a_gate, line_of(settings)) if behind_a_gate else ()


def announced(order: Order) -> Iterator[str]:
    """What a user ought to know before the first byte: each asset's origin, size, licence and gate; the sum; space."""
    for item in order.needed:
        asset = item.asset
        if item.present:
            yield f"{asset.name}: here, {item.path}"
            continue
        yield f"{asset.name}: {origin_of(asset.source)}; {cost_text(item)}; licence: {asset.licence}"
        if asset.gate is not None:
            yield f"  first: {asset.gate.text} ({asset.gate.apply_at})"
    yield from (f"{one.level.value}: {one.text}" for one in order.findings if one.level in _WORTH_SAYING)
    unknown = order.of_unknown_size
    more = f", and {', '.join(unknown)} of unknown size" if unknown else ""
    yield f"to fetch: {amount(order.fetch_bytes)}{more}; free: {amount(order.free_bytes)} at {order.cache}"


def cost_text(item: PlannedAsset) -> str:
    """What fetching costs, in words."""
    if not is_fetched(item.asset.source):
        return "only you can bring it"
    if item.asset.transfer_bytes is None:
        return "size unknown"
    if item.fetch_bytes == 0:
        return "nothing to fetch"
    return amount(item.fetch_bytes) + (" (estimated)" if item.asset.size_estimated else "")


def refuse(order: Order) -> None:
    """PreflightError naming each fault with its remedy; nothing when there is none."""
    faults = [one for one in order.findings if one.level is Level.FAULT]
    if faults:
        lines = [f"not everything can be had: {', '.join(item.asset.name for item in order.asked)}"]
        lines += [f"  {one.name}: {one.text}  -> {one.remedy}" for one in faults]
        raise PreflightError("\n".join(lines), hint="nothing was fetched; --dry-run shows the whole request")


def have(order: Order, *, say: Say, meter: Meter = no_meter) -> tuple[ReadyAsset, ...]:
    """Fetch and make what is needed; the ready assets in the order in which they were asked for.

    PreflightError before the first byte, AssetError when something cannot be had or is not what it should be.
    """
    refuse(order)
    ready = {item.path: order.assets.ensure(item, say=say, meter=meter) for item in order.needed}
    return tuple(ready[item.path] for item in order.asked)
