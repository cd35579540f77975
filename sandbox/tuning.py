"""What a sandbox is set to for measurements: how long its clusters take, what is behind them, and the pace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """How the simulators behave.

    `cluster_seconds` a cluster of Timeweb needs to start, `operation_seconds` each operation of a Neon project takes;
    without `databases` a server is an address that nothing listens on. The pace is Timeweb's a second and endpoint
    and Neon's a minute and key.
    """

    cluster_seconds: float = 0.3
    databases: bool = True
    requests_per_second: int = 20
    operation_seconds: float = 0.2
    neon_requests_per_minute: int = 700


USUAL = Tuning()
