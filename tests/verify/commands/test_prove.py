"""``verify prove`` and ``verify list errata``: all of the paper's claims, just those asked for, and what a wrong formula does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verify.calling import planted, quick_run, verify

SECTION_2 = ("theorem-2.2", "theorem-2.2-derived", "corollary-2.3.1", "remark-2.4")
SECTION_3 = ("proposition-3.1", "proposition-3.1-endpoint", "proposition-3.1-vanishing", "remark-3.2")
APPENDICES = ("theorem-a.2", "corollary-b.0.1", "appendix-b-factorization", "appendix-b-versus-section-3")
PAPER = SECTION_2 + SECTION_3 + APPENDICES
LEFT_OUT = ("rank", "minimality", "solutions", "singular", "pre-activation-only", "perturbed-query", "linear-attention", "gradient-is-free")
MODERN = ("pre-ln", "gated", "bias-free-output", "norm-scale", "parallel", "mixture-of-experts", "stack", "generation")
INDUCTION = {"mixture-of-experts", "stack", "generation", *SECTION_3[:2], *APPENDICES[1:]}

FORMULA = "return (W @ delta) @ transpose(a) / squared_norm(a)"
WRONG = {
    "no division": "return (W @ delta) @ transpose(a)",
    "division by the norm": "return (W @ delta) @ transpose(a) / a.norm()",
    "z in the row": "return (W @ delta) @ transpose(a + delta) / squared_norm(a)",
    "W left out": "return delta @ transpose(a) / squared_norm(a)",
}


def every_claim(claims: dict[str, dict[str, Any]]) -> None:
    """Proved for all sizes, every false variant refuted."""
    assert set(PAPER + LEFT_OUT + MODERN) <= set(claims)
    for claim in claims.values():
        assert claim["verdict"] == "HOLDS"
        assert claim["scope"].startswith("all sizes")
        assert claim["steps"]
        assert len(claim["mutants"]) >= 4
        for mutant in claim["mutants"]:
            assert mutant["why"]
            assert mutant["verdict"] == "VIOLATED"
            assert mutant["counterexample"]["left"] != mutant["counterexample"]["right"]
    assert {name for name in claims if claims[name]["scope"] == "all sizes, all n"} >= INDUCTION
    assert sum(len(claim["mutants"]) for claim in claims.values()) >= 80


def test_every_claim_holds_for_all_sizes_and_every_mutant_is_refuted(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a whole run, which proves as ``verify prove`` does."""
    _, folder = quick_run(tmp_path_factory)
    every_claim({claim["id"]: claim for claim in json.loads((folder / "run.json").read_text())["claims"]})


@pytest.mark.soak
def test_proving_everything_takes_seconds() -> None:
    answer = verify("prove", "--json")
    assert answer.status == 0
    every_claim({claim["id"]: claim for claim in json.loads(answer.out)["claims"]})
    assert answer.cpu < 15


def test_only_the_claims_that_were_asked_for_are_proved() -> None:
    answer = verify("prove", "proposition-3.1", "remark-3.2", "--json")
    assert answer.status == 0
    assert [claim["id"] for claim in json.loads(answer.out)["claims"]] == ["proposition-3.1", "remark-3.2"]


def test_nonsense_names_the_nearest_claims() -> None:
    answer = verify("prove", "proposition-3.2")
    assert answer.status == 2
    assert "proposition-3.1" in answer.err
    assert verify("prove", "nonsense").status == 2


def test_the_hypotheses_are_printed_as_they_are_assumed() -> None:
    """Also without the steps; a claim without any says so."""
    out = " ".join(verify("prove", "corollary-b.0.1", "static-patch-fits").out.split())
    assert "corollary-b.0.1 provided that aᵢ ≠ 0 for i = 1..n" in out
    assert "static-patch-fits provided that (H Aᵀ) A = 1 and S A = V" in out
    assert "of proof and hypotheses in words, which no program checks" in out


def test_every_claim_about_all_n_is_shown_at_one() -> None:
    answer = verify("prove", "gradient-is-free", "proposition-3.1", "stack", "--n", "3", "--json")
    assert answer.status == 0
    shown = json.loads(answer.out)["instances"]
    assert [len(each["left"]) for each in shown] == [3, 9, 1], "one part and three, at three steps each, and one part at n"
    assert all(each["agree"] for each in shown)


def test_the_steps_of_a_proof_are_lines_with_rule_and_hypothesis() -> None:
    answer = verify("prove", "theorem-2.2", "--steps")
    assert answer.status == 0
    assert "distributivity" in answer.out
    assert "uses a ≠ 0" in answer.out
    assert "refuted: the division by ‖a‖² is left out" in answer.out
    assert "uses a ≠ 0" not in verify("prove", "theorem-2.2").out


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_equation_1_is_refuted_and_the_step_that_fails_is_named(wrong: str, tmp_path: Path) -> None:
    code = planted(tmp_path / "code", "symbolic/formulas.py", FORMULA, wrong)
    answer = verify("prove", "theorem-2.2", "--json", code=code, cwd=code)
    assert answer.status == 1
    (claim,) = json.loads(answer.out)["claims"]
    assert claim["verdict"] == "VIOLATED"
    assert claim["reason"].startswith("step ")


def test_the_errata_are_refuted_as_printed_and_proved_as_corrected() -> None:
    answer = verify("list", "errata", "--json")
    assert answer.status == 0
    rows = json.loads(answer.out)
    assert [row["id"] for row in rows] == [f"erratum-{number}" for number in range(1, 10)]
    for row in rows:
        assert row["literal"]["text"]
        assert row["counterexample"]["left"] != row["counterexample"]["right"]
        assert row["correction"]
        assert row["proved"] is True
    shown = verify("list", "errata").out
    assert shown.count("printed") >= 9
    assert "NOT" not in shown


def test_an_erratum_whose_correction_is_broken_is_not_shown(tmp_path: Path) -> None:
    """The planted negative: with Eq. (1) wrong, what rests on it is no longer proved, and the status says so."""
    code = planted(tmp_path / "code", "symbolic/formulas.py", FORMULA, WRONG["no division"])
    answer = verify("list", "errata", "--json", code=code, cwd=code)
    assert answer.status == 1
    assert any(row["proved"] is False for row in json.loads(answer.out))


def test_the_step_that_fails_is_named_without_being_asked_for(tmp_path: Path) -> None:
    code = planted(tmp_path / "code", "symbolic/formulas.py", FORMULA, WRONG["no division"])
    answer = verify("prove", "theorem-2.2", code=code, cwd=code)
    assert answer.status == 1
    said = " ".join(answer.out.split())
    assert "theorem-2.2: step" in said
    assert "does not follow" in said
    assert "theorem-2.2: it fails at" in said


def test_a_claim_about_every_n_can_be_seen_at_one_and_costs_the_same() -> None:
    """The proof never looks at n; only the instance that is shown beside it does."""
    proofs = []
    for n in (2, 400):
        answer = verify("prove", "corollary-b.0.1", "--n", str(n), "--json")
        assert answer.status == 0
        found = json.loads(answer.out)
        assert [instance["sizes"]["n"] for instance in found["instances"]] == [n]
        assert found["instances"][0]["agree"] is True
        proofs.append([(step["expression"], step["rule"]) for step in found["claims"][0]["steps"]])
    assert proofs[0] == proofs[1]
    assert "at d = 2, k = 2, m = 2, n = 3, over exact rationals: both sides are" in verify("prove", "corollary-b.0.1", "--n", "3").out
    assert verify("prove", "theorem-2.2", "--n", "3").status == 2
    assert verify("prove", "corollary-b.0.1", "--n", "0").status == 2
