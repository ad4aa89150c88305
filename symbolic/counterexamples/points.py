"""The instances on which statements are tried: sizes from 1 up, and at each choice of sizes the smallest numbers first.

At each choice of sizes the assignments are enumerated in the order of their weight (the sum of the entries' places in 0, 1, -1, 2, ...), up to a
limit; then a fixed sequence of random ones follows.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, product

from symbolic.claim import Claim

NUMBERS = tuple(Fraction(x) for x in ("0", "1", "-1", "2", "-2", "3", "1/2"))
ENUMERATED = 1500
RANDOM = 400
LARGEST = 3
"""Of the sizes that are gone through one by one."""
LARGEST_AT_RANDOM = 6
"""Of the sizes that are drawn. A statement may hold at all the smaller ones and fail here."""

Point = dict[str, list[list[Fraction]]]
"""A matrix, by rows, for every symbol and every member of a family."""


def all_sizes(claim: Claim) -> Iterator[dict[str, int]]:
    """Every choice of sizes up to LARGEST, smallest sum first; sizes that must agree do."""
    choices = product(range(1, LARGEST + 1), repeat=len(_free_sizes(claim)))
    for chosen in sorted(choices, key=lambda each: (sum(each), max(each, default=1), each)):
        yield _with_equal_ones(claim, chosen)


def random_sizes(claim: Claim) -> Iterator[dict[str, int]]:
    """Sizes up to LARGEST_AT_RANDOM, each at random from a fixed seed, without end."""
    dice, free = random.Random(claim.id), _free_sizes(claim)
    while True:
        yield _with_equal_ones(claim, [dice.randint(1, LARGEST_AT_RANDOM) for _ in free])


def _free_sizes(claim: Claim) -> list[str]:
    """The sizes that may be chosen, and the number of tokens, which is no size of its own if a matrix has it."""
    shapes = [(m.rows, m.columns) for m in claim.symbols] + [(f.rows, f.columns) for f in claim.families]
    every = [size for shape in shapes for size in shape] + (["n"] if claim.families else [])
    return [size for size in dict.fromkeys(every) if size != "1" and size not in claim.sizes]


def _with_equal_ones(claim: Claim, chosen: Sequence[int]) -> dict[str, int]:
    sizes = dict(zip(_free_sizes(claim), chosen, strict=True))
    return sizes | {size: sizes[same] for size, same in claim.sizes.items()}


def points(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Point]:
    """Values for every symbol: by weight up to a limit, then at random from a fixed seed."""
    yield from by_weight(claim, sizes)
    yield from at_random(claim, sizes)


def by_weight(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Point]:
    """Values for every symbol, the smallest numbers first, up to a limit."""
    count = sum(rows * columns for _, rows, columns in _matrices(claim, sizes))
    for entries in islice(_by_weight(count), ENUMERATED):
        yield _shaped(claim, sizes, entries)


def at_random(claim: Claim, sizes: Mapping[str, int], numbers: Sequence[Fraction] = NUMBERS, seed: int = 0) -> Iterator[Point]:
    """Values for every symbol, at random from a fixed seed."""
    count = sum(rows * columns for _, rows, columns in _matrices(claim, sizes))
    dice = random.Random(count + 1_000_003 * seed)
    for _ in range(RANDOM):
        yield _shaped(claim, sizes, [dice.choice(numbers) for _ in range(count)])


def at_random_sizes(claim: Claim) -> Iterator[tuple[dict[str, int], Point]]:
    """Sizes up to LARGEST_AT_RANDOM and values for every symbol, without end.

    In turn all numbers are drawn; none that is zero, since of many vectors that must not vanish one soon would; and the same with one matrix in three zero as
    a whole, which numbers drawn one by one would seldom make it.
    """
    dice = random.Random(claim.id)
    for seed, sizes in enumerate(random_sizes(claim), start=1):
        point = next(at_random(claim, sizes, NUMBERS[min(seed % 3, 1) :], seed))
        for name, rows in point.items() if seed % 3 == 2 else ():
            if not dice.randrange(3):
                point[name] = [[Fraction(0) for _ in row] for row in rows]
        yield sizes, point


def _by_weight(count: int) -> Iterator[list[Fraction]]:
    for weight in range(count * len(NUMBERS)):
        for places in _compositions(count, weight):
            yield [NUMBERS[place] for place in places]


def _compositions(count: int, weight: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        if weight < len(NUMBERS):
            yield (weight,)
        return
    for first in range(min(weight, len(NUMBERS) - 1) + 1):
        for rest in _compositions(count - 1, weight - first):
            yield first, *rest


def _shaped(claim: Claim, sizes: Mapping[str, int], entries: Sequence[Fraction]) -> Point:
    rest = iter(entries)
    return {name: [[next(rest) for _ in range(columns)] for _ in range(rows)] for name, rows, columns in _matrices(claim, sizes)}


def _matrices(claim: Claim, sizes: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Name, rows and columns of everything that is to be chosen; a family has a member for every index."""
    for m in claim.symbols:
        yield m.name, _worth(m.rows, sizes), _worth(m.columns, sizes)
    for family in claim.families:
        for k in range(family.first, sizes["n"] + family.beyond + 1):
            yield f"{family.name}_{k}", _worth(family.rows, sizes), _worth(family.columns, sizes)


def _worth(size: str, sizes: Mapping[str, int]) -> int:
    return 1 if size == "1" else sizes[size]
