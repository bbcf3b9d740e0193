"""The base of what is written to a file, and the small records of which a timing is made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything written to a file: frozen, nothing beyond the declared fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Throughput(Record):
    """Images a second at a batch size.

    Attributes:
        value: median of the windows.
        windows: how many; 0 = not said.
        ci: 95 % interval of the median by order statistics, from six windows on.
    """

    value: float
    batch_size: int
    windows: int = 0
    ci: tuple[float, float] | None = None


class Server(Record):
    """Response times where requests arrive by chance, one process working them off in order.

    Attributes:
        share: of the rate that one call after another reaches, at which requests arrive.
        rate_ips: requests a second.
        n: requests.
        p50: milliseconds from arrival to answer, waiting included.
        p95: likewise; None where there are too few.
    """

    share: float
    rate_ips: float
    n: int
    p50: float
    p95: float | None
