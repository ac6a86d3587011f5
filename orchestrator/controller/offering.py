"""Choose how a benchmark is run among the catalogue's offers, or say which ways there are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Offer, Round
from orchestrator.domain.suggest import nearest
from orchestrator.domain.terms import Device, Scenario
from orchestrator.errors import UsageError

_PREFERRED = frozenset({"generic", "reference"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked of an offer; None and empty leave it open."""

    implementation: str | None = None
    backend: str | None = None
    device: Device | None = None
    scenarios: tuple[Scenario, ...] = ()


def choose_offer(asked: Wanted, benchmark: Benchmark, round_: Round, rules: BenchmarkRules) -> Offer:
    """The offer that fits what was asked, the default one among several; UsageError lists what there is."""
    wanted = {
        "implementation": (asked.implementation,),
        "backend": (asked.backend,),
        "device": (asked.device.value if asked.device else None,),
        "scenario": tuple(scenario.value for scenario in asked.scenarios if scenario in rules.scenarios),
    }
    offers = [offer for offer in benchmark.offers if not offer.rounds or round_.name in offer.rounds]
    for what, names in wanted.items():
        for name in names:
            if name is not None:
                fitting = [offer for offer in offers if name in _names(offer, what, rules)]
                if not fitting:
                    raise _not_offered(what, name, _Field(benchmark, offers, round_, rules))
                offers = fitting
    if not offers:
        raise _nobody(benchmark, round_, rules)
    return min(offers, key=_rank)


def _nobody(benchmark: Benchmark, round_: Round, rules: BenchmarkRules) -> UsageError:
    rounds = sorted({name for offer in benchmark.offers for name in offer.rounds})
    if rounds:
        hint = f"choose another with --round: {', '.join(rounds)}"
    elif rules.endpoints == "only":
        hint = "it is measured by MLCommons endpoints alone, which write no LoadGen log to judge (docs/adr/0012)"
    else:
        hint = "no implementation offers it"
    return UsageError(f"nothing runs '{benchmark.name}' in round {round_.name}", hint=hint)


def _rank(offer: Offer) -> tuple[bool, bool]:
    """MLCommons' reference before a vendor's where nothing else was said; the first in the catalogue among equals."""
    return (not offer.default, offer.implementation not in _PREFERRED)


def _names(offer: Offer, what: str, rules: BenchmarkRules) -> tuple[str, ...]:
    match what:
        case "implementation":
            return (offer.implementation,)
        case "backend":
            return (offer.backend,)
        case "device":
            return tuple(device.value for device in offer.devices)
        case _:
            return tuple(scenario.value for scenario in offer.scenarios or rules.scenarios)


@dataclass(frozen=True, slots=True)
class _Field:
    """Where an offer was looked for in vain."""

    benchmark: Benchmark
    left: list[Offer]
    round: Round
    rules: BenchmarkRules


def _not_offered(what: str, name: str, field: _Field) -> UsageError:
    everything, rules, round_name = field.benchmark.offers, field.rules, field.round.name
    there = sorted({each for offer in field.left for each in _names(offer, what, rules)})
    guess = nearest(name, there)
    elsewhere = sorted({each for offer in everything if name in _names(offer, what, rules) for each in offer.rounds})
    if elsewhere and round_name not in elsewhere:
        return UsageError(
            f"'{field.benchmark.name}' has no {what} '{name}' in round {round_name}",
            hint=f"it has it in {', '.join(elsewhere)} (--round); in {round_name}: {', '.join(there) or 'none'}",
        )
    ways = sorted({f"{one.implementation}/{one.backend} on {'|'.join(one.devices)}" for one in everything})
    return UsageError(
        f"'{field.benchmark.name}' has no {what} '{name}'"
        + (" with what else was asked" if len(field.left) < len(everything) else "")
        + (f"; did you mean '{guess}'?" if guess else ""),
        hint=f"it has: {', '.join(there) or 'none'}" + (f"; all ways to run it: {'; '.join(ways)}" if ways else ""),
    )
