"""Frozen data that every layer shares. No behaviour beyond derived properties."""

from queuectl.model.action import (
    Action,
    ContinueOperation,
    DeleteFailed,
    Drain,
    Refill,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    StopOperation,
    Suppress,
    Target,
    Tier,
    Undo,
    Unsuppress,
)
from queuectl.model.audit import AuditEntry
from queuectl.model.errors import QueuectlError, RefusedError, ServerError, UsageError
from queuectl.model.event import Event, Published
from queuectl.model.fleet import FleetState, PoolState, ProviderState, ServerState, WorkerState
from queuectl.model.job import JobDetail, JobView
from queuectl.model.message import Admission, Attachment, MailMessage, Verdict
from queuectl.model.outcome import Operation, Outcome, Preview
from queuectl.model.queue import (
    AUTOMATION,
    Control,
    Direction,
    Ledger,
    LedgerState,
    LiveField,
    Objective,
    OrderBlock,
    Policy,
    QueueClass,
    QueueState,
    Switch,
)
from queuectl.model.replies import ReplyHistory, RetryClass
from queuectl.model.sample import PoolSample, ProviderSample, QueueSample, Sample
from queuectl.model.samples import QueueSamples, WaitingSample

__all__ = [
    "AUTOMATION", "Action", "Admission", "Attachment", "AuditEntry", "ContinueOperation", "Control", "DeleteFailed",
    "Direction", "Drain", "Event", "FleetState", "JobDetail", "JobView", "Ledger", "LedgerState", "LiveField",
    "MailMessage", "Objective", "Operation", "OrderBlock", "Outcome", "Policy", "PoolSample", "PoolState",
    "Preview", "ProviderSample", "ProviderState", "Published", "QueueClass", "QueueSample", "QueueSamples",
    "QueueState", "QueuectlError", "Refill", "RefusedError", "ReplyHistory", "RetryClass", "RetryFailed", "Sample",
    "Scale", "ServerError", "ServerState", "SetDirection", "SetPause", "SetPolicy", "SetShed", "StopOperation",
    "Suppress", "Switch", "Target", "Tier", "Undo", "Unsuppress", "UsageError", "Verdict", "WaitingSample",
    "WorkerState",
]  # fmt: skip
