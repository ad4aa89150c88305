"""``verify list``: what there is of a kind."""

from collections.abc import Callable

from symbolic.vocabulary import CallError, unknown
from verify.commands.output import Terminal, print_json, table_of
from verify.exit_status import FAILED, HELD
from verify.plan.profiles import PROFILES

Listed = dict[str, object]

COLUMNS_SHOWN = 4
"""Columns of a list that a terminal shows; ``--json`` has the rest."""


class UnknownKind(CallError):
    """There is no list of that."""


def list_kind(kind: str, *, as_json: bool) -> int:
    """Print what there is of a kind. Raises UnknownKind. Returns 0; for errata, 1 if one is not shown."""
    if kind == "errata":
        return _list_errata(as_json=as_json)
    if kind not in LISTS:
        kinds = [*LISTS, "errata"]
        near = unknown("list", kind, kinds).split("`")[0].strip()
        raise UnknownKind(f"{near} There are {', '.join(kinds)}.")
    rows = LISTS[kind]()
    if as_json:
        print_json(rows)
    else:
        Terminal().print(table_of([{name: row[name] for name in list(row)[:COLUMNS_SHOWN]} for row in rows]))
    return HELD


def _list_errata(*, as_json: bool) -> int:
    """Prove what corrects each place of the paper that does not hold as printed, refute what is printed, and print both. Returns 0 if all are shown, else 1."""
    from reports.terminal import errata
    from symbolic.claims import load_claims
    from symbolic.errata import load_errata
    from symbolic.prover import prove
    from verify.progress import progress_bars, shown
    from verify.records.claim_rows import claim_record, erratum_record

    known = load_errata()
    claims = load_claims(list(dict.fromkeys(erratum.claim for erratum in known)))
    with progress_bars() as step:
        proved = {claim.id: claim_record(prove(claim)) for claim in shown(step, "prove", claims)}
    rows = [row for row in (erratum_record(erratum, proved) for erratum in known) if row is not None]
    if as_json:
        print_json([{"id": f"erratum-{row.number}", **row.model_dump(mode="json")} for row in rows])
    else:
        Terminal().print(errata(rows))
    return HELD if all(row.shown for row in rows) else FAILED


def _claims() -> list[Listed]:
    from symbolic.claims import load_claims

    return [{"id": claim.id, "title": claim.title, "source": claim.source, "mutants": len(claim.mutants)} for claim in load_claims()]


def _blocks() -> list[Listed]:
    from numeric.blocks import all_blocks
    from numeric.formats import MODES
    from numeric.scenarios import all_scenarios
    from verify.plan.applicable_claims import claims_measured, claims_that_apply

    return [
        {
            "id": block.id,
            "title": block.title,
            "required_loss": block.recipe.required_loss,
            "recipe": block.fingerprint,
            "claims": claims_that_apply(block),
            "measured": claims_measured(block),
            "scenarios": [scenario.id for scenario in all_scenarios() if any(scenario.refuses(block, mode) is None for mode in MODES)],
        }
        for block in all_blocks()
    ]


def _formats() -> list[Listed]:
    from numeric.formats import MODES

    return [
        {
            "id": row.id,
            "title": row.title,
            "unit_roundoff": (row.operands or row.activations).unit_roundoff,
            "emulated_on": ", ".join(row.emulated_on),
            "runs_on": list(row.runs_on),
            "weights": row.weights.name,
            "activations": row.activations.name,
            "layer_inputs": row.range.name,
            "operands": None if row.operands is None else row.operands.name,
            "update": row.update.name,
        }
        for row in MODES
    ]


def _scenarios() -> list[Listed]:
    from numeric.scenarios import all_scenarios

    return [
        {"id": row.id, "title": row.title, "claim": row.claim, "usual_formats": "all" if row.usual is None else ", ".join(row.usual)} for row in all_scenarios()
    ]


def _variants() -> list[Listed]:
    from numeric.sides.variant import VARIANTS

    return [{"id": row.id, "title": row.title} for row in VARIANTS]


def _refinements() -> list[Listed]:
    from numeric.machine.refinements import TITLES

    return [{"id": row.value, "title": title} for row, title in TITLES.items()]


def _profiles() -> list[Listed]:
    return [{"id": row.id, "title": row.title, "cases": row.cases} for row in PROFILES]


_ROWS: tuple[Callable[[], list[Listed]], ...] = (_claims, _blocks, _formats, _scenarios, _variants, _refinements, _profiles)

LISTS = {rows.__name__.removeprefix("_"): rows for rows in _ROWS}
