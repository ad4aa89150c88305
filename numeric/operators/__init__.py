"""What a module executes, watched operator by operator: where W reads, what meets the network, what is patched."""

from numeric.operators.block import WatchedBlock
from numeric.operators.double_precision import parameter_of
from numeric.operators.executions import Execution, flat_storage, storage_key, tensors_in
from numeric.operators.labels import MATRIX_PRODUCTS
from numeric.operators.memory import Memory
from numeric.operators.own_parameters import Own
from numeric.operators.recording import Cases

__all__ = ["MATRIX_PRODUCTS", "Cases", "Execution", "Memory", "Own", "WatchedBlock", "flat_storage", "parameter_of", "storage_key", "tensors_in"]
