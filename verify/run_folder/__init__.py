"""A run on disk: its lock, its journal, how it is resumed, its environment."""

from verify.run_folder.environment import describe_environment
from verify.run_folder.resuming import resumed_run
from verify.run_folder.run_folder import OpenRun, new_run

__all__ = ["OpenRun", "describe_environment", "new_run", "resumed_run"]
