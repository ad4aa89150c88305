"""A record with every kind of row in it, few of each; and the same with one value changed."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from reports.record import DamagedRun, Experiments, NotMeasured, RunRecord
from reports.record.cells import Counts, NotSwept, Recomputed, Spread, Unrefined
from reports.record.claims import ClaimRecord, Formula, Kernel, Step
from reports.record.environment import Bounds, Refinement
from reports.record.experiments import AdversarialRecord, Figure3, LayerRecord, PostNormRecord, ReplayRecord, StackRecord
from reports.record.record_files import record_from
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.findings.test_as_written import a_block, a_row


def rich() -> RunRecord:
    """A record with every kind of row in it, and few of each."""
    searched = {
        "evaluations": 512,
        "random": 0.5,
        "ascent": 0.5,
        "evolution": 0.5,
        "violated": 0,
        "simplified": 512,
        "simplified_worst": 0.5,
        "simplest": "x",
        "simplest_ratio": 0.5,
        "seconds": 1.0,
    }
    adversarial = AdversarialRecord(block="b", format="fp32", variant="v", seed=0, **searched)
    replay = ReplayRecord(kept=0, apart=[1e-16], planted={"wrong": 0.5})
    stack = StackRecord(block="b", prompts=4, limit=1e-12, replays=[replay], tokens=12, distinct=8.0, same=4, apart=1e-16, planted_same=0)
    post_norm = PostNormRecord(block="b", prompts=4, limit=1e-12, apart=1e-16, smallest=0.5, planted={"wrong": 0.5})
    broken = NotMeasured(block="b", what="w", reason="r")
    figure = experiment_samples.experiments().figure_1
    assert figure is not None
    layer = LayerRecord(block="b", loss=0.05, trials=4, steps=[(1, 1.0, 0.01)], norm=2.0, alignment=0.5, vanishes_at=1)
    experiments = Experiments(
        figure_1=figure.model_copy(update={"checkpoints": figure.checkpoints[:1]}),
        layers=[layer],
        figure_3=Figure3(block="b", trials=4, rate=0.01, finetuned=[(0, 1.0, 0.02)], patched=[(0, 1.0, 0.02)]),
        dynamics=[
            experiment_samples.dynamics(moved=experiment_samples.identity(points=[(1, 0.0, 0.5, 0.25), (50, 0.01, 0.25, 0.5)], resolution=2.0, vacuous=[1]))
        ],
        static_patch=[experiment_samples.static_patch()],
        stacks=[stack],
        post_norm=post_norm,
        adversarial=[adversarial],
        watched=[a_block(unproved=["pre-ln"], casts=["rope.py:40"], notes=["why"])],
        in_double=[a_row(), a_row(scenario="subset")],
        broken=[broken],
        out_of_time=[broken],
    )
    recomputed = Recomputed(cases=4096, moved=Spread(max=1.0, median=0.5), noticed=4096)
    wide = Unrefined(cases=512, holds=500, noticed=499, resolution=1e-4, refined=2e-5)
    witness = {"witness": "witnesses/theorem-2.2_attention_fp32_formula_random.safetensors", "witness_digest": samples.DIGEST}
    mutant = samples.mutant(remark=samples.UPDATE)
    false = {"verdict": Verdict.VIOLATED, "reason": "r", "counterexample": mutant.counterexample, "hypotheses_in_words": [samples.UPDATE]}
    return samples.record(
        run=samples.run_info(command="verify check own.py:make_block --format fp32 --format bf16", named_formats=["fp32", "bf16"]),
        bounds=Bounds(refinements=[Refinement(id="r", title="t", used=True)], assumptions=["a"]),
        claims=[
            samples.claim(id="false", remark=samples.UPDATE, mutants=[mutant], kernel=Kernel(assumptions=["a"]), **false),
            samples.claim(mutants=[]),
            chained(),
        ],
        errata=[samples.erratum(measured="0.5")],
        models=[samples.model(losses=[(0, 0.5)])],
        cells=[
            samples.cell(recomputed=recomputed, batch=512, unrefined=wide, **witness),
            samples.cell(scenario="near_zero", counts=Counts(holds=30, inconclusive=2)),
        ],
        near_zero=[samples.sweep(levels=samples.sweep().levels[-1:], measured_radius=0.0)],
        not_swept=[NotSwept(block="b", format="f", variant="v", reason="r")],
        not_measured=[broken],
        experiments=experiments,
    )


def chained() -> ClaimRecord:
    """A claim of two parts, each reached by a chain."""

    def formula(text: str) -> Formula:
        return Formula(text=text, latex=text)

    begins, link = "where the chain begins", "equal by normal form"
    lines = (("a", begins), ("= c", link), ("= b", link), ("f(b)", begins), ("b = f(a)", "in words: how it is written"), ("= f(a)", link))
    steps = [Step(expression=formula(text), rule=rule, in_words=rule.startswith("in words")) for text, rule in lines]
    statement = formula("a = b; f(b) = f(a), where c = b")
    return samples.claim(id="chained", statement=statement, remark=statement, steps=steps, mutants=[samples.mutant()])


@cache
def written() -> str:
    return rich().model_dump_json()


def planted(path: tuple[str | int, ...], value: Any) -> str:
    data = json.loads(written())
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(data)


def refusal(text: str) -> str:
    """What is said of a run with that text; empty if it is read."""
    try:
        record_from(text, Path("run.json"))
    except DamagedRun as error:
        return str(error)
    return ""
