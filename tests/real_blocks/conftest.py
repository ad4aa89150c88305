"""One thread, as every run has it: several would wait for each other on a busy machine."""

from numeric.machine import use_one_thread

use_one_thread()
