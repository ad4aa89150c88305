"""How far floating point strays: formats, arithmetics, blocks, training, scenarios, measurement, verdicts."""
