"""What a sandbox is set to for measurements: how long its clusters take, what is behind them, and the pace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """`cluster_seconds` a cluster needs to start; without `databases` it is an address that nothing listens on."""

    cluster_seconds: float = 0.3
    databases: bool = True
    requests_per_second: int = 20


USUAL = Tuning()
