"""One formula in four arithmetics: value and radius, value and variance, balls, intervals."""
