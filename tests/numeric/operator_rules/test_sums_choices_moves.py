"""Every row of sums, choices and moves against exact arithmetic: what came out is inside its radius, and in doubt for a reason only."""

from collections.abc import Callable, Iterator

import pytest

from numeric.operator_rules import Bounded
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.table import OPERATOR_ROWS
from numeric.operator_rules.table_of_moves import OF_CHOICES, OF_MOVES, OF_SUMS
from tests.numeric.operator_rules.against_exact import Tally
from tests.numeric.operator_rules.drawn import KINDS
from tests.numeric.operator_rules.own_moves import MAKERS, own
from tests.numeric.operator_rules.references_sums import REFERENCES
from tests.numeric.operator_rules.swept import FORMATS, SPREADS, merged, of_opinfo, of_ours, swept

NAMES = """
cumprod prod var std var_mean std_mean
sum mean cumsum linalg.vector_norm amax amin aminmax max min argmax argmin sort argsort topk kthvalue gt ge lt le eq ne logical_and logical_or logical_xor
logical_not any all isnan isinf isposinf isneginf isclose where masked_fill masked_select nonzero argwhere masked_scatter clone contiguous to float half
bfloat16 double int long bool fill full_like zeros_like ones_like new_full new_ones new_zeros zero_ cat stack hstack vstack dstack block_diag repeat tile
flip fliplr roll rot90 tril triu diag diag_embed diagonal_copy expand_copy permute_copy t_copy transpose_copy unsqueeze_copy unfold_copy squeeze_copy
narrow_copy split_with_sizes_copy unbind_copy view_copy as_strided_copy alias_copy nn.functional.pixel_shuffle nn.functional.pixel_unshuffle
nn.functional.channel_shuffle nn.functional.embedding nn.functional.pad constant_pad_nd gather take take_along_dim index_select __getitem__
repeat_interleave scatter scatter_add index_add index_copy index_fill index_put put slice_scatter select_scatter diagonal_scatter addcmul addcdiv lerp diff
gradient nanmean nn.functional.cosine_similarity sign floor ceil trunc round
"""
ENTRIES = tuple(NAMES.split())
"""The entries of ``op_db`` that execute them."""

CHOOSES = {name.split(".")[0] for name in OF_CHOICES} - {"amax", "amin", "aminmax", "isnan", "isinf"} | {"_to_copy"}
WRITES_TWICE = {"scatter", "index_put", "put", "index_copy"}
"""Of an entry that is written twice nobody knows by which."""
SPREADS_OUT = {"var", "std", "var_mean", "std_mean"}
PASSES = {"_to_copy", "copy", "sum", "where"}
"""These may come from a format with larger numbers."""


REFUSED = ("linalg_vector_norm.default of order", "and none came out")
"""What has no rule, by a part of the words: norms of other orders than 1, 2 and the largest or smallest; a choice of no entries that is undecided."""


def unexplained(overload: str, tally: Tally, kind: str, spread: float, format_name: str) -> Doubt:
    """The doubts that no reason predicts."""
    name = overload.removeprefix("aten.").split(".")[0]
    name = name.removesuffix("_")
    allowed = Doubt(0)
    if kind == "huge" or name in PASSES or (kind == "apart" and name in ("addcmul", "addcdiv", "linalg_vector_norm")):
        allowed |= Doubt.OVERFLOW | Doubt.NOT_FINITE
    if name in ("prod", "cumprod"):  # of many numbers: one order of them may overflow
        allowed |= Doubt.OVERFLOW | Doubt.NOT_FINITE
    if name in SPREADS_OUT:  # of no more numbers than the correction
        allowed |= Doubt.UNDERFLOW | Doubt.NOT_FINITE
    if name in SPREADS_OUT and kind == "apart":
        allowed |= Doubt.OVERFLOW
    if name == "addcdiv":
        allowed |= Doubt.UNDERFLOW | Doubt.NOT_FINITE | Doubt.OVERFLOW
    if name in WRITES_TWICE or (name in CHOOSES and (spread > 0 or format_name == "fp32-ftz" or overload.endswith("Scalar") or "Tensor" in overload)):
        allowed |= Doubt.UNDECIDED
    return Doubt(tally.reasons) & ~allowed


def judged(found: dict[str, Tally], kind: str, spread: float, format_name: str) -> None:
    """Nothing outside, nothing unbounded without a reason."""
    for overload, tally in found.items():
        assert not tally.outside, tally.outside[:3]
        assert not [words for words in tally.refused if not any(part in words for part in REFUSED)], tally.refused[:3]
        assert not tally.infinite, f"{overload} {kind}: {tally.infinite} infinite radii without a doubt"
        assert not unexplained(overload, tally, kind, spread, format_name), f"{overload} {kind} {spread} {format_name}: {Doubt(tally.reasons)!r}"


def _turns() -> Iterator[tuple[str, str, str, float]]:
    """Each overload with one format, one kind of numbers and one spread, all of which take turns."""
    for place, name in enumerate(MAKERS):
        yield name, list(FORMATS)[place % 5], KINDS[(place // 2) % 5], SPREADS[1 + place % 2]


@pytest.mark.parametrize(("name", "format_name", "kind", "spread"), list(_turns()), ids=[name for name, *_ in _turns()])
def test_a_row_holds_for_a_draw(name: str, format_name: str, kind: str, spread: float) -> None:
    """Two draws of each overload, in-place forms too; the whole sweep is a soak."""
    for chosen in (0.0, spread):
        found = swept(of_ours(own, name, format_name, (kind,), (7,)), REFERENCES, format_name, spreads=(chosen,))
        assert found
        judged(found, kind, chosen, format_name)


SQUARES_AND_PRODUCTS = ("var.correction", "std.correction", "prod.dim_int", "cumprod.default")


@pytest.mark.parametrize(
    "name", ["sum.dim_IntList", "mean.dim", "cumsum.default", "index_add.default", "addcmul.default", "lerp.Scalar", *SQUARES_AND_PRODUCTS]
)
def test_half_a_radius_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted one: a row that gives half of its radius."""
    right = OPERATOR_ROWS[name]

    def halved(call: OperatorCall) -> list[Bounded]:
        return [Bounded(each.radius * 0.5, each.doubts) for each in right(call)]

    monkeypatch.setitem(OPERATOR_ROWS, name, halved)
    found: dict[str, Tally] = {}
    for format_name in ("fp32", "bf16"):
        merged(found, swept(of_ours(own, name, format_name, ("plain", "apart"), range(3)), REFERENCES, format_name, spreads=(0.0, 1e-2)))
    assert any(tally.outside for tally in found.values())


def test_every_row_has_a_reference_and_a_sample() -> None:
    """What has a row, and no way to be judged, is listed here with the reason."""
    rows = {f"aten.{name}" for name in (*OF_SUMS, *OF_CHOICES, *OF_MOVES)}
    without = {"aten._reshape_copy.default"}  # executed by no operator of this version
    assert rows - set(REFERENCES) <= without
    assert all(f"aten.{name.split()[0]}" in REFERENCES for name in MAKERS)


@pytest.mark.soak
@pytest.mark.parametrize("format_name", FORMATS)
def test_every_row_holds_on_samples_of_ours(format_name: str, record_property: Callable[[str, object], None]) -> None:
    """At least 60 draws of each overload and in-place form."""
    total: dict[str, Tally] = {}
    for name in MAKERS:
        for kind in KINDS:
            for spread in SPREADS:
                found = swept(of_ours(own, name, format_name, (kind,), range(4)), REFERENCES, format_name, spreads=(spread,))
                judged(found, kind, spread, format_name)
                merged(total, found)
    assert min(tally.samples for tally in total.values()) >= 20
    _tell(total, format_name, "ours", record_property)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:The reduce argument")  # of a sample of PyTorch's
@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0")  # the same
@pytest.mark.parametrize("format_name", FORMATS)
def test_every_row_holds_on_pytorchs_samples(format_name: str, record_property: Callable[[str, object], None]) -> None:
    """All of op_db's that execute one of these overloads."""
    total: dict[str, Tally] = {}
    for entry in ENTRIES:
        for spread in SPREADS:
            found = swept(of_opinfo((entry,), format_name), REFERENCES, format_name, spreads=(spread,))
            judged(found, "huge", spread, format_name)
            merged(total, found)
    assert total
    _tell(total, format_name, "op_db", record_property)


def _tell(total: dict[str, Tally], format_name: str, whose: str, record_property: Callable[[str, object], None]) -> None:
    calls, entries, doubtful = (sum(getattr(each, name) for each in total.values()) for name in ("samples", "entries", "doubtful"))
    worst = max(each.worst for each in total.values())
    words = f"{format_name} {whose}: {len(total)} overloads, {calls} calls, {entries} entries, {doubtful} in doubt, worst error {worst:.3f} of its radius"
    record_property("swept", words)
    print(words)
