"""The rows of the record that are experiments: the paper's figures, and what it did not draw."""

from pydantic import Field

from reports.row import NotMeasured, Real, Row


class CheckpointRecord(Row):
    """Figure 1 of the paper at one step of training."""

    step: int
    training_loss: Real
    with_context: Real = Field(description="Measured: validation loss of T_W(C, x).")
    patched: Real = Field(description="Measured: validation loss of T_{W+ΔW}(x).")
    difference: Real = Field(description="Measured: of the two.")
    bound: Real = Field(description="Rigorous: what rounding can make of it.")
    planted: Real = Field(description="Measured: validation loss of the planted wrong update.")


class Figure1(Row):
    """Both validation losses in the course of training."""

    block: str
    format: str
    prompts: int
    checkpoints: list[CheckpointRecord]


Averages = list[tuple[int, Real, Real]]
"""(number of tokens, mean over trials, standard error of the mean)"""


class LayerRecord(Row):
    """How a contextual layer consumes its context (Figure 2 of the paper, and Remark 2.3)."""

    block: str
    loss: Real = Field(description="Measured: half the mean squared error on fresh prompts.")
    trials: int
    steps: Averages = Field(description="Measured: ‖ΔW_{i+1} - ΔW_i‖₂ by i.")
    norm: Real = Field(description="Measured: mean ‖ΔW‖_F of the whole context.")
    alignment: Real = Field(description="Measured: mean cosine between a step of the update and the next.")
    vanishes_at: int | None = Field(description="The first i from which on every mean step is below a tenth of that at i = 2; null if there is none.")


class Figure3(Row):
    """Test loss by the number of examples: SGD on W alone, and the ΔW of as many."""

    block: str
    trials: int
    rate: Real
    finetuned: Averages
    patched: Averages


class Experiments(Row):
    """The paper's figures, as far as the run made them."""

    figure_1: Figure1 | None = None
    layers: list[LayerRecord] = []
    figure_3: Figure3 | None = None
    broken: list[NotMeasured] = []
