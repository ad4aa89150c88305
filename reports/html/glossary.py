"""The words of a report, for a reader who has not met them, and links from where they stand to what they mean."""

import re

from markupsafe import Markup

GLOSSARY = (
    ("error", "How far the two sides of the claim came out apart on the machine: |W′a + b − (Wz + b)|, the largest entry. Measured."),
    ("bound", "What rounding can do to that difference at most, worked out operation by operation from the format. Rigorous: no case may exceed it."),
    ("error ÷ bound", "The largest quotient over all entries. Over 1 is a violation: more than rounding has happened, so the claim or the code is wrong."),
    ("resolution", "Bound over ‖WΔA‖, the size of what the update does: the smallest relative fault of ΔW that would be noticed. From 1 on, none would."),
    ("bound ÷ error", "How far the bound lies above what happened. 1 would be perfect; hundreds are usual where the order of summation is left open."),
    (
        "expected (probabilistic)",
        "What the error would exceed in one case of a thousand at most, if roundings were independent errors with zero mean. A model: it judges nothing.",
    ),
    ("certified", "Compared with ball arithmetic, which encloses the exact real number; so each side's own error is known, not only their difference."),
    ("measured", "Seen in a run on this machine, and no more than that."),
    ("proved", "Derived step by step for matrices of every size. False variants of each claim must be refuted by numbers, else no proof is trusted."),
    ("wrong update", "A change of ΔW planted on purpose in every cell. It must come out violated, else the cell could not have noticed a real fault."),
    (
        "refused",
        "Measured, not judged: the operands foretold a division by zero, a denominator (‖a‖², or a norm's) that cannot be told from zero, or an overflow that "
        "then came. Never counted as held.",
    ),
    ("bf16+fp32", "Stored in the first format, summed in the second. A single name means both."),
    ("radius", "‖a‖ below which ΔW fails in a format: ‖a‖² underflows, or ΔW overflows. Predicted from range limits and operands' sizes, and measured."),
)

VERDICTS = {
    "HOLDS": "Proved, or measured inside a bound that would have noticed a wrong update.",
    "VIOLATED": "Refuted by numbers that are shown, or measured outside its bound.",
    "VACUOUS": "Inside its bound, but a wrong update would have been inside it too.",
    "INCONCLUSIVE": "Not judged: the operands foretold a singular update or an underflow of ‖a‖², or an overflow, which then came.",
    "SKIPPED": "The combination makes no sense or was not asked for.",
    "ERROR": "The check itself broke; nothing is known.",
    "TIMEOUT": "The check did not finish in its time; nothing is known.",
}


def word_anchor(word: str) -> str:
    """Identifier of a word's entry on the page."""
    return "word-" + re.sub("[^a-z0-9]+", "-", word.replace("÷", "over")).strip("-")


def term(word: str, shown: str | None = None) -> Markup:
    """A word of the glossary as a link to its meaning; shown: the form in which it stands here."""
    assert word in dict(GLOSSARY), f"{word!r} is no word of the glossary"
    return Markup('<a href="#{}">{}</a>').format(word_anchor(word), shown or word)
