"""What a gate lets pass on the same operands, by the pattern of the leaf and the change: why a change there is neither worse nor impossible.

Of ``REPORTED`` ones it says that they are other or better than the baseline, and not accepted: ``--strict`` refuses them.  Of the others it says nothing.
An entry that no change needs any more fails its test, so the lists cannot outgrow the gate.
"""

from dataclasses import dataclass

ANY = ("*",)
WORD = ("another word",)
REWORDED = ("another word", "empty", "null", "a word")
MORE = ("ten times", "one more")
FEWER_OR_TWICE = ("removed", "without its last", "its last twice", "its first alone", "emptied")


@dataclass(frozen=True, slots=True)
class Spared:
    """Leaves, the changes of them that pass, and the reason."""

    patterns: tuple[str, ...]
    changes: tuple[str, ...]
    why: str
    reported: bool = False
    status: int = 0
    """What the gate exits with."""


_EXAMPLES = ("sizes.*", "values.*", "values.*.*", "values.*.*.*")

SPARED = (
    Spared(("run.id", "run.command"), WORD, "it names the run"),
    Spared(("run.finished",), ("another time",), "when it was"),
    Spared(("run.finished",), ("null",), "a run that has not ended is incomplete, and what it lacks may still come", status=3),
    Spared(("run.seed",), ANY, "other operands, which are compared by margins"),
    Spared(("run.profile",), WORD, "what was requested; what there is is compared row by row, and another profile is reported as a limit"),
    Spared(("run.resumed",), MORE, "what was finished before is kept as it was"),
    Spared(("environment.python", "environment.platform", "environment.commit"), WORD, "where it ran; its numbers are held to what they were"),
    Spared(tuple(f"environment.{name}" for name in ("processor", "torch", "device", "blas")), WORD, "another machine: floors hold, --require-same-machine"),
    Spared(("environment.threads",), MORE, "another machine: floors hold, --require-same-machine"),
    Spared(("environment.versions.*",), ("another word", "removed"), "what is installed beside it; a run without the suite's own version is refused"),
    Spared(("environment.probes",), ("its last twice",), "the same answer twice"),
    Spared(("environment.probes.*.question",), WORD, "a question is known by its id"),
    Spared(("environment.probes.*.answer",), WORD, "what follows from an answer is in the bounds, which are compared", reported=True),
    Spared(("bounds.refinements.*.title",), WORD, "a title"),
    Spared(("bounds.assumptions", "bounds.assumptions.*"), FEWER_OR_TWICE, "a bound that takes less for granted", reported=True),
    Spared(("claims.*.title", "claims.*.source", "claims.*.reason"), WORD, "words beside what is compared"),
    Spared(("claims.*.remark.text", "claims.*.remark.latex"), WORD, "the claim in its file's own words, which are a remark"),
    Spared(
        ("claims.*.hypotheses", "claims.*.hypotheses_in_words"), FEWER_OR_TWICE, "a claim that assumes less, and no line of its proof uses it", reported=True
    ),
    Spared(("claims.*.hypotheses.*", "claims.*.hypotheses_in_words.*"), ("removed",), "likewise", reported=True),
    Spared(("claims.*.hypotheses.*.latex", "claims.*.hypotheses_in_words.*.latex"), WORD, "typeset otherwise", reported=True),
    Spared(("claims.*.statement.latex", "errata.*.literal.latex", "errata.*.corrected.latex"), WORD, "typeset otherwise", reported=True),
    Spared(("claims.*.steps", "claims.*.steps.*"), FEWER_OR_TWICE, "another proof; a shorter one is worse of a claim that holds", reported=True),
    Spared(("claims.*.steps.*.expression.text", "claims.*.steps.*.rule", "claims.*.steps.*.hypothesis"), REWORDED, "another proof", reported=True),
    Spared(("claims.*.steps.*.expression.latex", "claims.*.steps.*.remark"), REWORDED, "how a line is typeset, and a remark on it"),
    Spared(("claims.*.mutants.*.description", "claims.*.mutants.*.why"), REWORDED, "a remark"),
    Spared(("claims.*.mutants.*.remark.text", "claims.*.mutants.*.remark.latex", "claims.*.mutants.*.statement.latex"), WORD, "a remark, or typeset otherwise"),
    Spared(("claims.*.mutants.*.statement.text",), WORD, "another false variant, and it is refuted", reported=True),
    Spared(
        tuple(f"claims.*.mutants.*.counterexample.{part}" for part in _EXAMPLES),
        (*FEWER_OR_TWICE, *MORE),
        "other numbers that refute it; a size that counts the members of a family is shown by no matrix",
        reported=True,
    ),
    Spared(tuple(f"claims.*.counterexample.{part}" for part in _EXAMPLES), (*FEWER_OR_TWICE, *MORE), "a claim that is known to be violated, at other numbers"),
    Spared(("claims.*.counterexample.note", "claims.*.mutants.*.counterexample.note"), WORD, "a remark"),
    Spared(("claims.*.kernel.assumptions", "claims.*.kernel.assumptions.*"), FEWER_OR_TWICE, "a kernel that takes less for granted"),
    Spared(tuple(f"{rows}.*.seconds" for rows in ("claims", "models", "cells", "experiments.adversarial", "experiments.in_double")), ANY, "a duration"),
    Spared(tuple(f"errata.*.{name}" for name in ("title", "where", "wording", "correction", "to_measure", "measured")), REWORDED, "a remark"),
    Spared(("models.*.recipe",), WORD, "another block, whose weights have their digest", reported=True),
    Spared(("models.*.cached",), ("the contrary",), "where the weights were read from; they have their digest"),
    Spared(("cells.*.certified.cases",), MORE, "more cases were compared, whose errors are others"),
    Spared(("not_measured.*.what",), WORD, "left out under another name, as with other formats", reported=True),
    Spared(("not_measured.*.reason",), WORD, "left out for another reason", reported=True),
    Spared(tuple(f"experiments.{name}.prompts" for name in ("figure_1", "dynamics.*.formats.*", "post_norm")), MORE, "more of it, whose numbers are others"),
    Spared(tuple(f"experiments.{name}.trials" for name in ("layers.*", "figure_3", "static_patch.*")), MORE, "likewise"),
    Spared(("experiments.static_patch.*.fresh_queries", "experiments.static_patch.*.points.*.queries", "experiments.stacks.*.tokens"), MORE, "likewise"),
    Spared(("experiments.adversarial.*.evaluations",), MORE, "likewise"),
    Spared(("experiments.in_double.*.cases",), ("one more", "ten times"), "likewise: of more cases, in which what is removed may change nothing"),
    Spared(("experiments.dynamics.*.formats.*.refused",), ("one more",), "likewise: of more prompts, as many were judged as before"),
    Spared(("experiments.stacks.*.replays.*.apart",), ("its last twice",), "likewise: of more blocks"),
    Spared(("experiments.watched.*.weights",), ("another digest",), "another block, of which no recipe is known", reported=True),
    Spared(("experiments.adversarial.*.seed",), MORE, "another search; its numbers are the same"),
    Spared(
        ("experiments.broken", "experiments.out_of_time"), ("its last twice",), "two searches on one block have one name, so it is there twice if both break"
    ),
    Spared(("experiments.broken.*.reason", "experiments.out_of_time.*.reason"), WORD, "why it broke, in words"),
)
"""Each with its reason."""

LESS, FURTHER = ("0", "a tenth"), ("ten times", "infinite", "1")
SEARCH = "experiments.adversarial.*"

BY_ANOTHER_DRAW = (
    Spared(
        ("cells.*.certified.left", "cells.*.certified.right"),
        (*LESS, "ten times"),
        "the largest certified error of another sample; above every bound it is a contradiction",
    ),
    Spared(("cells.*.recomputed.moved.max", "cells.*.recomputed.moved.median"), ("a tenth", *FURTHER), "how far other vectors move; who notices it is counted"),
    Spared(("cells.*.context_effect",), ("a tenth", "ten times", "1"), "how much the context of another draw does, in words alone"),
    Spared(
        ("experiments.in_double.*.off", "experiments.in_double.*.worst_ratio"),
        (*LESS, "ten times", "1"),
        "the largest of other cases, which no order statistic bounds; every case is held to what roundings explain, whatever the draw",
    ),
    Spared(("experiments.in_double.*.planted.*.0",), ("one more",), "better, by chance"),
    Spared(("experiments.in_double.*.refused",), LESS, "fewer, by chance; in those that are judged what is removed may change nothing"),
    Spared(("cells.*.unrefined.cases", "cells.*.unrefined.noticed", "cells.*.well_inside.cases"), ("one more",), "better, by chance"),
    Spared(
        ("near_zero.*.levels", "near_zero.*.levels.*"),
        ("its last twice", "removed"),
        "an interval that another draw halves otherwise; the ends and the widest gap are compared",
    ),
    Spared(
        tuple(f"near_zero.*.levels.*.{name}" for name in ("bound", "error", "error_median")),
        ("ten times", "1", *LESS),
        "256 cases of another draw at one distance, of which no case is kept; the largest error is held to its bound, and cells near zero to margins",
    ),
    Spared(("near_zero.*.levels.*.refused",), ("negated",), "minus zero"),
    Spared(("near_zero.*.predicted_by",), WORD, "another draw may meet another limit first"),
    Spared(
        tuple(f"{SEARCH}.{name}" for name in ("random", "ascent", "evolution", "simplest_ratio", "simplified_worst")),
        (*LESS, "1"),
        "what another draw leads a search to",
    ),
    Spared((f"{SEARCH}.simplest",), WORD, "what another draw leads a search to"),
    Spared((f"{SEARCH}.simplified",), ("a tenth", *MORE), "how long another context takes to be made readable"),
)
"""What passes besides where the run has another seed than the baseline, so that its operands are others."""

ABSENT = {
    "not_swept.*": "a sweep that did not run ends every gate with 3, whatever its row says",
}
"""Patterns that no record of these tests has, by how they begin."""
