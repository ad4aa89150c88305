"""The rows of the record that are experiments: the paper's figures, and what it did not draw."""

import math

from pydantic import Field

from reports.record.as_written import InDoubleRecord, WatchedRecord
from reports.record.row import Count, Finite, Magnitude, Name, NotMeasured, Real, Row, SeedNumber


class CheckpointRecord(Row):
    """Figure 1 of the paper at one step of training."""

    step: Count
    training_loss: Magnitude
    with_context: Magnitude = Field(description="Measured: validation loss of T_W(C, x).")
    patched: Magnitude = Field(description="Measured: validation loss of T_{W+ΔW}(x).")
    difference: Magnitude = Field(description="Measured: of the two.")
    bound: Magnitude = Field(description="Rigorous: what rounding can make of it.")
    planted: Magnitude = Field(description="Measured: validation loss of the planted wrong update.")


class Figure1(Row):
    """Both validation losses in the course of training."""

    block: Name
    format: Name
    prompts: Count
    checkpoints: list[CheckpointRecord]


Averages = list[tuple[Count, Magnitude, Magnitude]]
"""(number of tokens, mean over trials, standard error of the mean)"""


class LayerRecord(Row):
    """How a contextual layer consumes its context (Figure 2 of the paper, and Remark 2.3)."""

    block: Name
    loss: Magnitude = Field(description="Measured: half the mean squared error on fresh prompts.")
    trials: Count
    steps: Averages = Field(description="Measured: ‖ΔW_{i+1} - ΔW_i‖₂ by i.")
    norm: Magnitude = Field(description="Measured: mean ‖ΔW‖_F of the whole context.")
    alignment: Real = Field(description="Measured: mean cosine between a step of the update and the next.")
    vanishes_at: Count | None = Field(description="The first i from which on every mean step is below a tenth of that at i = 2; null if there is none.")


class Figure3(Row):
    """Test loss by the number of examples: SGD on W alone, and the ΔW of as many."""

    block: Name
    trials: Count
    rate: Magnitude
    finetuned: Averages
    patched: Averages


Curve = list[tuple[Count, Magnitude, Magnitude, Magnitude]]
"""(number of tokens, measured error, rigorous bound, what the tokens do): of each prompt the largest entry, of those the median."""


class IdentityRecord(Row):
    """One identity of the implicit dynamics, after some tokens."""

    points: Curve
    worst: Magnitude = Field(description="The largest error over bound of all entries, prompts and numbers of tokens.")
    resolution: Magnitude = Field(description="The largest bound over what the tokens do, of all numbers of tokens.")
    vacuous: list[Count] = Field(description="The numbers of tokens after which the bound is not below what the tokens do.")


class DynamicsInFormat(Row):
    """The implicit dynamics of a block in one format."""

    format: Name
    prompts: Count = Field(description="Those that were judged.")
    refused: Count = Field(description="Those that met a limit of the format's range, or a zero.")
    moved: IdentityRecord = Field(description="Corollary B.0.1: T_{W_i}(c_{i+1}..c_n, x) = T_{W_0}(c_1..c_n, x), at the first dense layer.")
    factored: IdentityRecord = Field(description="Eq. (35): W_i = W_0 (1 + h_1 A_1)...(1 + h_i A_i), entry by entry.")
    descended: IdentityRecord = Field(description="Proposition 3.1: T_{W_i}(x) = T_{W_0}(c_1..c_i, x), at the first dense layer.")
    telescoped: IdentityRecord = Field(description="Proposition 3.1: W_i = W_0 - h (sum of the gradients), entry by entry.")
    literal: Magnitude = Field(description="Planted, Eq. (15) as printed: error over bound, the least of the prompts.")
    reversed: Magnitude = Field(description="Planted, Eq. (35) in the opposite order: likewise.")
    prefix: Magnitude = Field(description="Planted, the tokens read in place of those left in Eq. (31): likewise.")
    apart: Magnitude = Field(description="Measured: how far Appendix B's W_n is from Section 3's, over the norm of Section 3's update; the median.")
    differ: Magnitude = Field(description="The same in an entry over the bound of both, the least of the prompts: above 1 they are two matrices.")
    agree: Magnitude = Field(description="Their largest difference on A(x), over the bound of both.")


class DynamicsRecord(Row):
    """The implicit dynamics of a block (Proposition 3.1 and Appendix B), token by token."""

    block: Name
    tokens: Count
    formats: list[DynamicsInFormat]


TrialSummary = tuple[Magnitude, Magnitude, Magnitude]
"""(mean over trials, standard error of the mean, median)"""


class StaticPointRecord(Row):
    """What one update for K queries does. Measured, but for the distance. Errors are ‖ΔW A(x) - WΔA‖/‖WΔA‖, losses ½ mean squared errors."""

    queries: Count
    refused: Count = Field(description="Trials whose A(x) are linearly dependent, so that without a ridge the numbers decide no update.")
    own: TrialSummary | None = Field(description="Without a ridge: error on the K queries themselves; null, like the next three, where a trial was refused.")
    fresh: TrialSummary | None = Field(description="Without a ridge: error on queries that no update has seen.")
    loss: TrialSummary | None = Field(description="Without a ridge: loss of the block's own forward pass on fresh queries.")
    distance: Magnitude | None = Field(description="Certified: difference from the exact update over that, largest of some rows in one trial, rounded up.")
    ridge_fresh: TrialSummary = Field(description="With the ridge that validation queries choose: error on fresh queries.")
    ridge_loss: TrialSummary = Field(description="With it: loss on fresh queries.")
    ridge_share: Magnitude = Field(description="Median of that ridge over tr(AAᵀ)/d.")
    other_context: TrialSummary = Field(description="Planted: the update of another context, with its ridge; error on fresh queries.")
    wrong_vector: TrialSummary = Field(description="Planted: the update made with A(C,x) where A(x) belongs, with a ridge; error on fresh queries.")


class StaticPatchRecord(Row):
    """How well one update for a context serves many queries."""

    block: Name
    trials: Count
    fresh_queries: Count
    width: Count
    directions: Count = Field(description="How many of them the A(x) of all queries span.")
    with_context: TrialSummary = Field(description="Measured: loss on fresh queries.")
    without: TrialSummary = Field(description="The same with neither context nor update.")
    points: list[StaticPointRecord]


class ReplayRecord(Row):
    """A stack without a part of its prompt, each block patched, beside the stack with all of it."""

    kept: Count = Field(description="Tokens of the context that stay.")
    apart: list[Magnitude] = Field(description="Measured, after each block: difference of the last token's stream over the stream, the largest of the prompts.")
    planted: dict[Name, Magnitude] = Field(description="Wrong patches, and that difference after the last block: the least of the prompts.")


class StackRecord(Row):
    """The claims `stack` and `generation` on trained weights, in fp64. Measured; the limit is no bound."""

    block: Name
    prompts: Count
    limit: Magnitude = Field(description="What counts as the same to within roundings.")
    replays: list[ReplayRecord]
    tokens: Count = Field(description="Of a generation.")
    distinct: Magnitude = Field(description="Different tokens of a generation, on average.")
    same: Count = Field(description="Prompts whose generation, replayed without them by patches, has the same tokens.")
    apart: Magnitude = Field(description="Difference of the last stream over the stream, the largest of all tokens of all generations.")
    planted_same: Count = Field(description="Planted, the first token's patches for all tokens: prompts with the same tokens.")


class AdversarialRecord(Row):
    """A search for the context that brings the error as near to its bound as can be, beside as many random contexts."""

    block: Name
    format: Name
    variant: Name
    seed: SeedNumber
    evaluations: Count = Field(description="Cases of the search; as many random ones.")
    random: Magnitude | None = Field(description="Measured over rigorous: largest error over bound of the random contexts; null if none was judged.")
    ascent: Magnitude | None = Field(description="The same of the contexts to which gradients of a surrogate led.")
    evolution: Magnitude | None = Field(description="The same of those that an evolution strategy found from there; null if there was no time for one.")
    violated: Count = Field(description="Cases outside their bounds: of the search, of the random ones, and of those that were tried for a readable one.")
    simplified: Count = Field(description="Cases that were tried for a context that can be read.")
    simplified_worst: Magnitude | None = Field(description="The same of those; null if none was judged.")
    simplest: Name | None = Field(description="A context that can be read, with nearly the ratio that was found; null if there is none so simple.")
    simplest_ratio: Magnitude | None
    seconds: Finite

    @property
    def best(self) -> float | None:
        """What the search found."""
        return max((ratio for ratio in (self.ascent, self.evolution) if ratio is not None), default=None)

    @property
    def factor(self) -> float | None:
        """How many times as far as the random contexts."""
        return self.best / self.random if self.random and self.best is not None else None

    @property
    def limit(self) -> float | None:
        """The most that the factor can be while the bound is true, for then the ratio is at most 1."""
        return 1.0 / self.random if self.random else None

    @property
    def closed(self) -> float | None:
        """The share of what random contexts leave of the bound that the search used up."""
        return (self.best - self.random) / (1.0 - self.random) if self.best is not None and self.random is not None and self.random < 1 else None

    @property
    def tried(self) -> int:
        """All cases that were measured."""
        return 2 * self.evaluations + self.simplified

    @property
    def worst(self) -> float | None:
        """The largest error over bound, whoever found it; NaN if one is, which is worse than any."""
        ratios = [ratio for ratio in (self.best, self.random, self.simplified_worst, self.simplest_ratio) if ratio is not None]
        return max(ratios, key=lambda ratio: (math.isnan(ratio), ratio), default=None)

    @property
    def outside(self) -> bool:
        """Whether a case lies outside its bound."""
        return self.violated > 0 or (self.worst is not None and not self.worst <= 1)

    @property
    def came_further(self) -> bool:
        """Whether the search found what random contexts did not."""
        return self.best is not None and (self.random is None or self.best > self.random)


class PostNormRecord(Row):
    """The claim `norm-scale` on trained weights behind which a norm is put, in fp64. Measured; the limit is that of the stacks."""

    block: Name
    prompts: Count
    limit: Magnitude
    apart: Magnitude = Field(description="Difference of the patched block's output from that with the prompt, over the output: the largest of the prompts.")
    smallest: Magnitude = Field(description="The smallest entry, in magnitude, of what the norm makes before it scales.")
    planted: dict[Name, Magnitude] = Field(description="Wrong patches, and that difference: the least of the prompts.")


class Experiments(Row):
    """The paper's figures, as far as the run made them, and what it did not draw."""

    figure_1: Figure1 | None = None
    layers: list[LayerRecord] = []
    figure_3: Figure3 | None = None
    dynamics: list[DynamicsRecord] = []
    static_patch: list[StaticPatchRecord] = []
    stacks: list[StackRecord] = []
    post_norm: PostNormRecord | None = None
    adversarial: list[AdversarialRecord] = []
    watched: list[WatchedRecord] = []
    in_double: list[InDoubleRecord] = []
    broken: list[NotMeasured] = []
    out_of_time: list[NotMeasured] = []
