"""What is closed at the end of a ``with`` block, however that ends."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Has a method ``close``, which the end of a block calls."""

    def close(self) -> None:
        """End it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
