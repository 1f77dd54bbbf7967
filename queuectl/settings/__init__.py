"""Settings: what can be set, and where each value came from."""

from queuectl.settings.contexts import ContextSettings, EnvironmentSettings
from queuectl.settings.hygiene import DkimSettings, UnsubscribeSettings
from queuectl.settings.load import Loaded, load, mask_url, values
from queuectl.settings.model import (
    ConsoleSettings,
    DaemonSettings,
    DeliverySettings,
    PoolSettings,
    ProviderSettings,
    QueueSettings,
    Settings,
    TimeoutSettings,
    WorkerSettings,
)
from queuectl.settings.routes import RouteSettings

__all__ = [
    "ConsoleSettings",
    "ContextSettings",
    "DaemonSettings",
    "DeliverySettings",
    "DkimSettings",
    "EnvironmentSettings",
    "Loaded",
    "PoolSettings",
    "ProviderSettings",
    "QueueSettings",
    "RouteSettings",
    "Settings",
    "TimeoutSettings",
    "UnsubscribeSettings",
    "WorkerSettings",
    "load",
    "mask_url",
    "values",
]
