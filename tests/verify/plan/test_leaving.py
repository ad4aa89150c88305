"""The exit status is never taken from the user's code: what is no ``Exception`` is a refusal, or the ERROR of a cell; Ctrl-C still ends a run."""

import json
from pathlib import Path

import pytest

from tests.verify.calling import Answer, verify

BLOCK = """
import sys
import torch
from torch import nn
from numeric import ContextualBlock

def leave(): LEAVE

class Mean(nn.Module):
    calls = 0
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
    def forward(self, context, query):
        Mean.calls += query.dtype == torch.float64
        if query.dtype == torch.float64 and Mean.calls > 2:
            leave()
        own = self.a(query)
        return own if context is None else own + self.b(context).mean(1)

def make_block():
    torch.manual_seed(0)
    return ContextualBlock(Mean(), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), "0", input_width=4)
"""


def checked(leave: str, folder: Path) -> Answer:
    (folder / "mine.py").write_text(BLOCK.replace("LEAVE", leave), encoding="utf-8")
    few = ("--cases", "64", "--scenario", "random", "--variant", "formula", "--format", "fp64", "--format", "fp32", "--device", "cpu")
    return verify("check", "mine.py:make_block", *few, "--out", str(folder / "run"), cwd=folder)


@pytest.mark.parametrize("leave", ["sys.exit(0)", "import pytest; pytest.skip('no data')"])
def test_a_cell_whose_code_ends_the_program_is_an_error_and_the_others_go_on(leave: str, tmp_path: Path) -> None:
    answer = checked(leave, tmp_path)
    assert answer.status == 3, answer.err
    assert "Traceback" not in answer.err
    cells = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["cells"]
    assert {cell["format"]: cell["verdict"] for cell in cells} == {"fp64": "ERROR", "fp32": "HOLDS"}
    assert "would have ended the program" in next(cell["reason"] for cell in cells if cell["format"] == "fp64")


def test_an_interrupt_out_of_the_users_code_ends_the_run_as_ctrl_c_does(tmp_path: Path) -> None:
    answer = checked("raise KeyboardInterrupt", tmp_path)
    assert answer.status == 130, answer.err
    assert "interrupted; what was finished is in" in answer.err
