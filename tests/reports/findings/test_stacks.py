"""Stacks and post-norms: strayed ones are a violation, planted ones that pass a doubt, and the page has their section."""

import pytest

from reports.findings.faults import doubts, violations
from reports.record import Experiments
from reports.record.experiments import PostNormRecord, ReplayRecord, StackRecord
from tests import report_samples as samples


def a_stack(**changes: object) -> StackRecord:
    replay = ReplayRecord(kept=0, apart=[1e-16, 2e-16], planted={"left out": 0.5})
    figures = {"prompts": 4, "limit": 1e-12, "tokens": 3, "distinct": 2.5, "same": 4, "apart": 1e-16, "planted_same": 0}
    return StackRecord(**{"block": "deep", "replays": [replay], **figures, **changes})


def a_norm(**changes: object) -> PostNormRecord:
    return PostNormRecord(**{"block": "deep", "prompts": 4, "limit": 1e-12, "apart": 1e-14, "smallest": 0.1, "planted": {"left out": 0.5}, **changes})


def of(**found: object):
    return samples.record(experiments=Experiments(**found))


def test_what_held_is_no_finding() -> None:
    record = of(stacks=[a_stack()], post_norm=a_norm())
    assert not list(violations(record))
    assert not list(doubts(record))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"stacks": [a_stack(replays=[ReplayRecord(kept=0, apart=[1e-16, 1e-9], planted={"left out": 0.5})])]}, "strays from the stack"),
        ({"stacks": [a_stack(replays=[ReplayRecord(kept=0, apart=[1e-16, samples.NAN], planted={"left out": 0.5})])]}, "strays from the stack"),
        ({"stacks": [a_stack(same=3)]}, "generates other tokens for 1 prompt"),
        ({"stacks": [a_stack(apart=1e-3)]}, "strays from the stack"),
        ({"post_norm": a_norm(apart=1e-3)}, "with a patched post-norm strays"),
    ],
)
def test_what_strayed_is_a_violation(found: dict[str, object], words: str) -> None:
    assert any(words in line for line in violations(of(**found)))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"stacks": [a_stack(replays=[ReplayRecord(kept=0, apart=[1e-16], planted={"left out": 1e-13})])]}, "a wrong patch of the stack deep"),
        ({"stacks": [a_stack(planted_same=4)]}, "the replay shows nothing"),
        ({"post_norm": a_norm(planted={"left out": samples.NAN})}, "a wrong patch of a post-norm"),
    ],
)
def test_a_planted_patch_that_passes_is_a_doubt(found: dict[str, object], words: str) -> None:
    assert any(words in line for line in doubts(of(**found)))
