"""The run record and its files; plain data."""

from reports.record.cells import CellRecord, NearZeroSweep
from reports.record.claims import ClaimRecord
from reports.record.experiments import Experiments
from reports.record.record_files import DamagedRun, load_run, write_whole
from reports.record.row import NotMeasured
from reports.record.run_record import ModelRecord, RunRecord

__all__ = ["CellRecord", "ClaimRecord", "DamagedRun", "Experiments", "ModelRecord", "NearZeroSweep", "NotMeasured", "RunRecord", "load_run", "write_whole"]
