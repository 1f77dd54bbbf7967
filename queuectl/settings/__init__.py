"""Settings: what can be set, and where each value came from."""

from queuectl.settings.load import Loaded, load, mask_url, values
from queuectl.settings.model import (
    ConsoleSettings,
    DaemonSettings,
    DeliverySettings,
    PoolSettings,
    ProviderSettings,
    QueueSettings,
    Settings,
    WorkerSettings,
)

__all__ = [
    "ConsoleSettings",
    "DaemonSettings",
    "DeliverySettings",
    "Loaded",
    "PoolSettings",
    "ProviderSettings",
    "QueueSettings",
    "Settings",
    "WorkerSettings",
    "load",
    "mask_url",
    "values",
]
