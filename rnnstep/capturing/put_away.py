"""What does not fit into the memory that a capture may take: older calls go to files in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from rnnstep.language import Text


class Storable(Protocol):
    """What can be put into a file."""

    index: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is added any more."""

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""

    def put_into(self, path: Path) -> None:
        """Put what of it is in memory into a file."""


class PutAway:
    """The memory that calls take, and the folder of those that are not in it.

    Args:
        limit: How many bytes calls may take in memory.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._folder: str | None = None
        self._put_away: dict[int, int] = {}  # in how many files each is
        self._failed: Text | None = None

    def add(self, size: int) -> None:
        """Take that calls have become larger."""
        self._held += size

    def forget(self, call: Storable) -> None:
        """Take that a call is dropped."""
        self._held -= call.nbytes

    def make_room(self, older: Iterable[Storable]) -> bool:
        """Put the oldest of some calls into files, as long as there is too little room; say whether there was."""
        if self._held <= self.limit:
            return False
        for call in older:
            if self._held <= self.limit:
                break
            size = call.nbytes
            if not size or not call.is_complete:
                continue
            self._put(call)
            self._held -= size - call.nbytes
        return True

    def _put(self, call: Storable) -> None:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="rnnstep-calls-")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        number = self._put_away.get(call.index, 0)
        try:
            call.put_into(Path(self._folder) / f"{call.index}-{number}.safetensors")
        except OSError as error:
            self._failed = Text(
                "older calls could not be put on the disk, and take more memory than was asked for: {reason}",
                reason=error.strerror or str(error),
            )
            return
        self._put_away[call.index] = number + 1

    @property
    def notes(self) -> tuple[Text, ...]:
        """What was put away, and where it is."""
        found = []
        if self._put_away and self._folder is not None:
            found.append(
                Text(
                    "{count} older calls are in {folder} until Python ends (limit={limit} MiB)",
                    count=len(self._put_away),
                    folder=self._folder,
                    limit=self.limit >> 20,
                )
            )
        return (*found, *([] if self._failed is None else [self._failed]))
