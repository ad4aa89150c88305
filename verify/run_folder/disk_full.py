"""A disk without room ends a run in order: what is finished stays whole, and the run can be resumed."""

import contextlib
import errno
from collections.abc import Iterator

from verify.run_folder.run_folder import OpenRun

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(Exception):
    """There is no room for what is to be written next."""


@contextlib.contextmanager
def reporting_full_disk(start: OpenRun) -> Iterator[None]:
    """Raise DiskFull in place of the system's error, with what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull(f"the disk with {start.folder} is full; what was finished there is whole: make room, and then `{start.to_go_on}`.") from error
