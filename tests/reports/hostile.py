"""Names that try to be markup, a run whose every text is one, and a run in which every kind of row comes to every kind of end."""

from reports.record import Experiments, NotMeasured, RunRecord
from reports.record.cells import Counts, NotSwept, witness_name
from reports.record.claims import Formula
from reports.record.experiments import AdversarialRecord
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.findings.test_as_written import NOTHING, Z, a_block, a_row
from tests.rows_as_written import as_written

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
MARKDOWN = "[alert(1)](javascript:alert(1)) **bold** `code` | cell | ~~gone~~\n\n# heading\n- item\r\n::error::alert(1)"
CONTROLS = "bell\x07 null\x00 escape\x1b[31m end\x85 separator\u2028 turned\u202e \ufffe alert(1)"
CDATA = "]]><testcase name='alert(1)'/><!-- & &amp; %0A::error::"

EVIL = (SCRIPT, IMAGE, MARKDOWN, CONTROLS, CDATA)
NAMES = ("claim", "block", "format", "numerics", "variant", "scenario", "mutant")
"""What a cell says in words."""
WORDS, LISTS = ("stream", "absorber", "absorbs_as", "way"), ("first", "cuts", "claims", "unproved", "operators", "casts", "notes")
"""What the row of a block as it is written says in words."""


def hostile_record(evil: str) -> RunRecord:
    """A violated run in which every name, reason, path and command is the same text."""
    formula = Formula(text=f"{evil} = {evil}", latex=rf"\text{{{evil}}}")
    wrong = samples.mutant(id=evil, description=evil, statement=formula)
    counts = Counts(holds=3, violated=3, inconclusive=3)
    violated = {"verdict": Verdict.VIOLATED, "worst_ratio": 3.0, "cases": 9, "counts": counts, "witness_digest": samples.DIGEST}
    named = dict.fromkeys(NAMES, evil)
    witness = witness_name(samples.cell(**named).id)
    lists = {key: [evil] for key in LISTS} | {"claims": [evil, f"{evil} open"], "unproved": [f"{evil} open"]}
    return samples.record(
        run=samples.run_info(command=evil, id=evil, profile=evil, exit_status=1),
        environment=samples.environment(processor=evil, versions={"icl-verify": evil, evil: evil}, torch=evil, commit=evil, device=evil),
        claims=[
            samples.claim(id=evil, title=evil, source=evil, statement=formula, hypotheses=[formula], mutants=[wrong]),
            samples.claim(id=f"{evil} broke", verdict=Verdict.ERROR, reason=evil),
        ],
        errata=[samples.erratum(title=evil, where=evil, wording=evil, correction=evil, proved=False, claim=f"{evil} corrected")],
        models=[samples.model(block=evil, recipe=evil, validation_loss=9.0)],
        cells=[
            samples.cell(**named, **violated, device="cuda", witness=witness, reasons={evil: 3}),
            samples.cell(block=evil, scenario="vacuous", device="cuda", verdict=Verdict.VACUOUS, counts=Counts(vacuous=4096)),
            as_written(samples.cell(block=evil, scenario="broke", device="cuda", reason=evil), verdict=Verdict.ERROR),
        ],
        near_zero=[samples.sweep(block=evil, format=evil, variant=evil, predicted_by=evil, numerics=evil)],
        not_swept=[NotSwept(block=evil, format=evil, variant="broke", reason=evil)],
        not_measured=[NotMeasured(block=evil, what=evil, reason=evil)],
        experiments=Experiments(
            dynamics=[experiment_samples.dynamics(evil)],
            adversarial=[search(block=evil, **{**SIMPLE, "simplest": evil})],
            watched=[a_block(block=evil, off=0.5, left_out={Z: evil}, **dict.fromkeys(WORDS, evil), **lists)],
            in_double=[a_row(block=evil, variant=evil, planted={NOTHING: (1, 510)}, unequal=3, worst_ratio=1.5)],
            broken=[NotMeasured(block=evil, what=evil, reason=evil)],
        ),
    )


NOT_SIMPLE = {"simplified": 0, "simplified_worst": None, "simplest": None, "simplest_ratio": None}
SIMPLE = {"simplified": 512, "simplified_worst": 0.5, "simplest": "x", "simplest_ratio": 0.5}


def search(**changes: object) -> AdversarialRecord:
    fields = {"block": "attention", "format": "fp32", "variant": "formula", "seed": 0, "evaluations": 512, "random": 0.5, "ascent": 0.75, "evolution": None}
    return AdversarialRecord(**{**fields, **NOT_SIMPLE, "violated": 0, "seconds": 1.0, **changes})


VERDICTS = {
    "holds": (Verdict.HOLDS, {}),
    "violated": (Verdict.VIOLATED, {"counts": Counts(holds=4095, violated=1), "worst_ratio": 7.0, "witness": "witnesses/it's one.safetensors"}),
    "vacuous": (Verdict.VACUOUS, {"counts": Counts(vacuous=4096), "resolution": 2.0}),
    "inconclusive": (Verdict.INCONCLUSIVE, {"counts": Counts(inconclusive=4096), "reason": "all refused", "worst_ratio": None}),
    "skipped": (Verdict.SKIPPED, {"counts": Counts(), "cases": 0, "reason": "it makes no sense", "worst_ratio": None}),
    "error": (Verdict.ERROR, {"counts": Counts(), "cases": 0, "reason": "MemoryError: no room", "worst_ratio": None}),
    "timeout": (Verdict.TIMEOUT, {"counts": Counts(), "cases": 0, "worst_ratio": None}),
    "planted-missed": (Verdict.HOLDS, {"mutant_verdict": Verdict.HOLDS, "mutant_caught": 0}),
    "nan": (Verdict.HOLDS, {"worst_ratio": float("nan")}),
    "miscounted": (Verdict.HOLDS, {"counts": Counts(holds=4000), "cases": 4096}),
    "over": (Verdict.HOLDS, {"worst_ratio": 1.5}),
}
"""By the scenario's name: a cell's verdict, and what else its row needs or contradicts."""


def record_of_all_ends() -> RunRecord:
    """One cell for each of VERDICTS."""
    cells = [samples.cell(scenario=name, verdict=verdict, **fields) for name, (verdict, fields) in VERDICTS.items()]
    return samples.record(run=samples.run_info(exit_status=1), cells=cells)
