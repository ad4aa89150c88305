"""A second memory next to a tensor's storage: what is known of each entry, found through any view of it.

A tensor is a storage read through strides: entry (i, j, ...) stands at offset + i s₀ + j s₁ + ... . What is known of a tensor (what it is made
of; later a radius) is kept in a second storage with one place for each entry of the first, and is read through the same strides. So views,
transposes, slices, chunks and expansions need no rule at all, and an in-place operator changes what every view of that storage sees.

A note dies with its storage: the memory keeps no tensor alive, and an address that is used again starts without a note.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.executions import storage_key


class ReadAsAnotherType(Exception):
    """A storage is read with entries of another type than those that the notes were written for (``view.dtype``)."""


@dataclass(frozen=True, slots=True)
class _Note:
    values: Tensor
    """One for each entry of the storage, in one dimension."""
    dtype: torch.dtype
    """Of the storage's entries."""


def _at_death(storage: torch.UntypedStorage, forget: Callable[..., object], *given: object) -> None:
    """Forget what is known of a storage when it dies; not when the program ends."""
    weakref.finalize(storage, forget, *given).atexit = False


class StorageSet:
    """A set of storages, each of which leaves it when it dies."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        self._keys: set[int] = set()
        self.add(tensors)

    def __contains__(self, x: Tensor) -> bool:
        return storage_key(x) in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """The storages of tensors join the set."""
        for x in tensors:
            key = storage_key(x)
            if key not in self._keys:
                self._keys.add(key)
                _at_death(x.untyped_storage(), self._keys.discard, key)


class Memory:
    """One value of a dtype for each entry of the storages that it was given notes of; ``unknown`` for every other."""

    def __init__(self, dtype: torch.dtype, unknown: int = 0) -> None:
        self.dtype = dtype
        self.unknown = unknown
        self._notes: dict[int, _Note] = {}

    def __len__(self) -> int:
        return len(self._notes)

    def knows(self, x: Tensor) -> bool:
        """Whether there is a note of the tensor's storage."""
        return storage_key(x) in self._notes

    def of(self, x: Tensor) -> Tensor:
        """What is known of each entry, in the tensor's shape.  Raises ReadAsAnotherType."""
        note = self._notes.get(storage_key(x))
        if note is None:
            return torch.full((), self.unknown, dtype=self.dtype).expand(x.shape)
        if note.dtype != x.dtype:
            raise ReadAsAnotherType(f"{note.dtype} is read as {x.dtype}")
        return note.values.as_strided(x.shape, x.stride(), x.storage_offset())

    def whole(self, x: Tensor) -> Tensor:
        """What is known of every entry of the tensor's storage, in one dimension."""
        note = self._notes.get(storage_key(x))
        return torch.empty(0, dtype=self.dtype) if note is None else note.values

    def put(self, x: Tensor, values: Tensor | int) -> None:
        """Write what is known of each entry: a tensor that broadcasts to its shape, or one number for all.

        Entries of the same storage that the tensor does not reach keep their notes. Raises ReadAsAnotherType.
        """
        key = storage_key(x)
        if key not in self._notes:
            self.put_everywhere(x, self.unknown)
        if self._notes[key].dtype != x.dtype:
            raise ReadAsAnotherType(f"{self._notes[key].dtype} is written as {x.dtype}")
        view = self._notes[key].values.as_strided(x.shape, x.stride(), x.storage_offset())
        if isinstance(values, Tensor):
            # An expanded tensor has one entry at many indices; the largest stride-0 dimensions hold the same note.
            distinct = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in x.stride())
            view[distinct] = values.expand(x.shape)[distinct].to(self.dtype)
        else:
            view.fill_(values)

    def put_everywhere(self, x: Tensor, value: int) -> None:
        """Write one number for every entry of the tensor's storage, whatever was known of it, and of whatever type its entries were."""
        key, storage = storage_key(x), x.untyped_storage()
        if key not in self._notes:
            _at_death(storage, self._notes.pop, key, None)
        self._notes[key] = _Note(torch.full((storage.nbytes() // x.element_size(),), value, dtype=self.dtype), x.dtype)
