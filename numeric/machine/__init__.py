"""How this machine computes, found by asking it: kernels, probes, summation orders, the error model."""

from numeric.machine.device import device_named, use_one_thread
from numeric.machine.error_model import FP64, ErrorModel
from numeric.machine.kernel_service import UnsupportedNumerics
from numeric.machine.kernels import BATCH
from numeric.machine.probing import ProbedMode, probe
from numeric.machine.refinements import Refinement, refinements_named

__all__ = ["BATCH", "FP64", "ErrorModel", "ProbedMode", "Refinement", "UnsupportedNumerics", "device_named", "probe", "refinements_named", "use_one_thread"]
