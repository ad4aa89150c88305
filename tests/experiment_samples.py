"""The experiments of a record, written by hand: small, and every number in them chosen here."""

from reports.record import Experiments
from reports.record.experiments import (
    CheckpointRecord,
    DynamicsInFormat,
    DynamicsRecord,
    Figure1,
    Figure3,
    IdentityRecord,
    LayerRecord,
    StaticPatchRecord,
    StaticPointRecord,
)


def identity(**changes: object) -> IdentityRecord:
    points = [(1, 6e-8, 3e-6, 0.007), (25, 6e-8, 5e-6, 0.1), (50, 1.5e-7, 1.4e-5, 0.4)]
    return IdentityRecord(**{"points": points, "worst": 0.05, "resolution": 4.3e-4, "vacuous": [], **changes})


def dynamics(block: str = "attention", **changes: object) -> DynamicsRecord:
    """Of one format; each argument replaces a part of it."""
    telescoped = identity(worst=0.61, points=[(1, 0.0, 3e-6, 0.2), (50, 1e-7, 1e-5, 0.4)])
    identities = {"moved": identity(), "factored": identity(worst=0.16), "descended": identity(), "telescoped": telescoped}
    figures = {"literal": 8044.0, "reversed": 3814.0, "prefix": 30546.0, "apart": 0.52, "differ": 14000.0, "agree": 0.0076}
    fields = {"format": "fp32", "prompts": 4, "refused": 0, **identities, **figures}
    return DynamicsRecord(block=block, tokens=50, formats=[DynamicsInFormat(**{**fields, **changes})])


def static_patch(**changes: object) -> StaticPatchRecord:
    """Updates made from 1, 2 and 4 queries, the last refused without a ridge in 3 of 8 trials."""

    def point(queries: int, fresh: float, refused: int = 0) -> StaticPointRecord:
        plain = {"own": (0.25, 0.125, 0.25), "fresh": (fresh, 0.0625, fresh), "loss": (0.5, 0.25, 0.5), "distance": 2.0**-50}
        with_ridge = {"ridge_fresh": (fresh, 0.0625, fresh), "ridge_loss": (0.123, 0.0456, 0.1), "ridge_share": 2.0**-8}
        planted = {"other_context": (1.5, 0.25, 1.75), "wrong_vector": (1.0, 0.25, 1.25)}
        return StaticPointRecord(queries=queries, refused=refused, **(dict.fromkeys(plain) if refused else plain), **with_ridge, **planted)

    setting = {"block": "attention", "trials": 8, "fresh_queries": 64, "width": 32, "directions": 2}
    losses = {"with_context": (0.0347, 0.00123, 0.03), "without": (0.987, 0.0625, 0.9)}
    return StaticPatchRecord(**{**setting, **losses, "points": [point(1, 0.75), point(2, 0.375), point(4, 0.1875, refused=3)], **changes})


def experiments() -> Experiments:
    """Every experiment that the page draws, small."""
    checkpoints = [
        CheckpointRecord(step=step, training_loss=1 / (1 + step), with_context=0.5, patched=0.5 - 2.0**-30, difference=2.0**-30, bound=1e-6, planted=0.9)
        for step in range(0, 400, 20)
    ]
    layers = [
        LayerRecord(block=name, loss=0.05, trials=4, steps=[(i, scale / i, 0.01) for i in range(1, 50)], norm=2.0, alignment=0.5, vanishes_at=at)
        for name, scale, at in (("attention", 1.0, 20), ("gru", 2.0, None), ("attention-residual", 0.5, 30))
    ]
    falling = [(i, 1 / (1 + i), 0.02) for i in range(50)]
    return Experiments(
        figure_1=Figure1(block="attention", format="fp32", prompts=16, checkpoints=checkpoints),
        layers=layers,
        figure_3=Figure3(block="attention", trials=4, rate=0.01, finetuned=falling, patched=falling),
        dynamics=[dynamics()],
        static_patch=[static_patch()],
    )
