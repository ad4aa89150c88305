"""What every bound takes for granted, and nobody proves: said in the report, so that a reader knows what a HOLDS rests on."""

ASSUMPTIONS = (
    "A sum, difference, product, quotient or conversion of single numbers is correctly rounded in its format of computation (IEEE 754).",
    "A kernel treats all operands as it treated those of its probe: the same accumulator, order, rounding and handling of subnormal numbers.",
    "Fp64, in which radii are computed, rounds to nearest and keeps subnormal numbers; the latter is probed.",
)
"""Of every run."""

LIBRARY = "An elementary function of the library errs by no more units in the last place than its table says; a sample is compared with ball arithmetic."
"""Of a run that met a block with elementary functions."""
