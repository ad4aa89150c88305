"""How this machine computes, found by asking it: kernels, probes, summation orders, the error model."""
