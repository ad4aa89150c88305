"""What a module executes, watched operator by operator: where W reads, what meets the network, what is patched."""

from numeric.operators.block import WatchedBlock
from numeric.operators.executions import CallSite, Execution, storage_key, tensors_in

__all__ = ["CallSite", "Execution", "WatchedBlock", "storage_key", "tensors_in"]
