"""Frozen data that every layer shares. No behaviour beyond derived properties."""

from queuectl.model.action import (
    Action,
    DeleteFailed,
    Drain,
    Refill,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetShed,
    Target,
    Tier,
    Undo,
)
from queuectl.model.audit import AuditEntry
from queuectl.model.errors import QueuectlError, RefusedError, ServerError, UsageError
from queuectl.model.fleet import FleetState, PoolState, ProviderState, ServerState, WorkerState
from queuectl.model.job import JobDetail, JobView
from queuectl.model.message import Admission, MailMessage, Verdict
from queuectl.model.outcome import Operation, Outcome, Preview
from queuectl.model.queue import (
    AUTOMATION,
    Control,
    Direction,
    Ledger,
    LedgerState,
    Objective,
    Policy,
    QueueClass,
    QueueState,
    Switch,
)
from queuectl.model.sample import QueueSample, Sample
from queuectl.model.samples import QueueSamples, WaitingSample

__all__ = [
    "AUTOMATION", "Action", "Admission", "AuditEntry", "Control", "DeleteFailed", "Direction", "Drain", "FleetState",
    "JobDetail", "JobView", "Ledger", "LedgerState", "MailMessage", "Objective", "Operation", "Outcome", "Policy",
    "PoolState", "Preview", "ProviderState", "QueueClass", "QueueSample", "QueueSamples", "QueueState",
    "QueuectlError", "Refill", "RefusedError", "RetryFailed", "Sample", "Scale", "ServerError", "ServerState",
    "SetDirection", "SetPause", "SetShed", "Switch", "Target", "Tier", "Undo", "UsageError", "Verdict",
    "WaitingSample", "WorkerState",
]  # fmt: skip
