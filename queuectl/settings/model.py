"""The settings file as pydantic models: what may be set, its unit, its default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from queuectl.model import AUTOMATION, Direction, Objective, Policy, QueueClass, Switch

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ServerSettings(Section):
    url: str = ""
    """redis://, rediss://, unix:// or redis+sentinel://h1:26379,h2:26379/master/0; empty: the embedded server."""
    data_dir: str = ""
    """Where the embedded server keeps its data; empty: $XDG_DATA_HOME/queuectl or ~/.local/share/queuectl."""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    """How long one command may take before the server counts as gone."""


class EnvironmentSettings(Section):
    name: str = Field(default="", max_length=16)
    """Shown in the header on every screen: PROD, staging, …"""
    production: bool = False
    """Every change asks for the queue's name to be typed."""
    read_only: bool = False
    """The gate refuses every change."""


class QueueSettings(Section):
    queue_class: QueueClass = Field(default=QueueClass.NORMAL, alias="class")
    """protected (never shed by automation), normal or bulk."""
    max_age_s: float = Field(default=4 * 3600.0, gt=0)
    """A message older than this is stale: shedding drops it to the shed store. Counted from its first enqueue."""
    target_wait_s: float = Field(default=60.0, gt=0)
    """The wait this kind of mail should keep."""
    cap: int = Field(default=1_000_000, ge=1)
    """High watermark: with shedding on, admission refuses while this many messages wait."""
    direction: Literal["auto"] | Direction = Direction.FIFO
    """The standing direction, when no operator overrides it; auto: newest first while a queue with the objective
    freshness could deliver nothing in time."""
    shed: Literal["auto"] | Switch = Switch.OFF
    """The standing shed state, when no operator overrides it; auto: on while the queue is under pressure."""
    objective: Objective = Objective.COMPLETENESS
    """What the queue prefers when it cannot have both: every message delivered, or fresh ones."""
    provider: Name = "default"
    """Which entry of [providers] delivers this queue."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Most messages a second over all workers; 0: no limit of its own."""
    burst: int = Field(default=20, ge=1)
    """Messages that may go at once above the rate."""

    def policy(self) -> Policy:
        return Policy(
            queue_class=self.queue_class,
            max_age_s=self.max_age_s,
            target_wait_s=self.target_wait_s,
            cap=self.cap,
            direction=Direction.FIFO if self.direction == AUTOMATION else Direction(self.direction),
            shed=Switch.OFF if self.shed == AUTOMATION else Switch(self.shed),
            provider=self.provider,
            objective=self.objective,
            shed_auto=self.shed == AUTOMATION,
            direction_auto=self.direction == AUTOMATION,
        )


class ScalingSettings(Section):
    min: int = Field(default=1, ge=1, le=1000)
    """Fewest workers automation asks for."""
    max: int = Field(ge=1, le=1000)
    """Most workers automation asks for, over all hosts."""

    @model_validator(mode="after")
    def _in_order(self) -> ScalingSettings:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


class PoolSettings(Section):
    queues: tuple[Name, ...] = Field(min_length=1)
    """Queues its workers serve, most important first."""
    workers: int = Field(default=1, ge=0, le=1000)
    """Worker processes over all hosts, while nobody scales the pool by hand."""
    scaling: ScalingSettings | None = None
    """Let automation choose the number, e.g. { min = 1, max = 8 }; `workers` is where it begins. Unset: it does not."""
    concurrency: int = Field(default=50, ge=1, le=5000)
    """Messages in flight inside one worker."""
    weights: dict[Name, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Queue -> share of the slots' time while all have work, e.g. { welcome = 3, forum = 1 }; a queue not named has 1.
    Empty: strict order, the first queue with work takes all it can. Protected queues come first in either case."""
    reserved: int | None = Field(default=None, ge=0)
    """Slots of each worker that only protected queues may use; unset: a tenth of them, at least one."""


class ProviderSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=25, ge=1, le=65535)
    tls: Literal["none", "starttls", "implicit"] = "none"
    """`none` is accepted for loopback addresses only."""
    username: str = ""
    password_env: str = ""
    """Name of the environment variable that holds the password; it is never written to a file of ours."""
    connections: int = Field(default=20, ge=1, le=1000)
    """SMTP connections one worker may hold open."""
    max_connections: int = Field(default=0, ge=0)
    """SMTP connections all workers together may hold open; 0: no limit."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Most messages a second over all workers; 0: no limit until the provider throttles."""
    burst: int = Field(default=20, ge=1)
    """Messages that may go at once above the rate."""
    adaptive: bool = True
    """Halve the rate when the provider throttles, stop while it refuses us for our reputation, and recover."""
    fallback: Name | Literal[""] = ""
    """The provider that delivers in its place while it is suspended or cannot be reached."""
    messages_per_connection: int = Field(default=500, ge=1)
    timeout_s: float = Field(default=60.0, gt=0)
    """Longest wait for one SMTP reply."""
    transport: Literal["smtp", "null"] = "smtp"
    """`null` accepts everything and sends nothing: for benches."""


class DeliverySettings(Section):
    sender: str = "queuectl <queuectl@localhost>"
    """From header where message and template name none."""
    message_id_domain: str = "queuectl.localhost"
    """Right-hand side of the Message-ID, which is derived from the job id and so survives retries."""
    attempts: int = Field(default=6, ge=1, le=100)
    """Deliveries tried before a message with transient replies is failed."""
    retry_base_s: float = Field(default=30.0, gt=0)
    """Longest delay before the first retry; doubles each time. With equal jitter: half of it to all of it."""
    retry_cap_s: float = Field(default=3600.0, gt=0)
    """Longest delay between two attempts."""
    keep_delivered_s: float = Field(default=0.0, ge=0)
    """How long a delivered job stays readable; 0 removes it at once."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Most messages a second over all queues, providers and workers; 0: no limit."""
    burst: int = Field(default=100, ge=1)
    """Messages that may go at once above that rate."""
    suppress_bounces: bool = True
    """Put an address that does not exist (a permanent 5.1.x) on the suppression list."""


class WorkerSettings(Section):
    grace_s: float = Field(default=30.0, ge=0)
    """How long a stopping worker waits for what is in flight before it hands the rest back."""
    lease_s: float = Field(default=60.0, ge=5)
    """A claim not renewed for this long is repaired."""


class DaemonSettings(Section):
    supervise: bool = True
    """Start and stop this host's worker processes towards each pool's desired count."""
    ghost_after_s: float = Field(default=30.0, ge=5)
    """A worker whose heartbeat is older than this is dead; its messages go back to the head of their queues."""
    max_losses: int = Field(default=3, ge=1)
    """A message whose worker died this often is failed as poison."""
    record_dir: str = ""
    """The leading daemon records into this folder, a picture a second; empty: it does not."""
    record_keep_days: int = Field(default=7, ge=1, le=3650)
    """Recordings older than this are removed."""
    metrics: str = Field(default="", pattern=r"^$|^(\S*:)?\d{1,5}$")
    """Serve Prometheus metrics on "host:port", or on a port alone, for this machine only; read at the start."""


class AutomationSettings(Section):
    """How quickly automation acts on what is set to auto."""

    shed_enter_for_s: float = Field(default=15.0, ge=0)
    """Pressure must be high for this long before shedding begins."""
    shed_leave_for_s: float = Field(default=60.0, ge=0)
    """Pressure must be low for this long before shedding ends."""
    lifo_enter_for_s: float = Field(default=60.0, ge=0)
    """The predicted wait must exceed the max age for this long before newest goes first."""
    lifo_leave_for_s: float = Field(default=60.0, ge=0)
    """The predicted wait must be under half the max age for this long before oldest goes first again."""
    clear_within_s: float = Field(default=600.0, gt=0)
    """A scaled pool gets workers to clear its backlog in this time."""
    settle_s: float = Field(default=300.0, ge=0)
    """A pool shrinks only to the most workers that were needed in this time."""


class ConsoleSettings(Section):
    refresh_s: float = Field(default=1.0, ge=0.5, le=60)
    """How often the console asks for a new picture, seconds."""
    theme: str = "queuectl-dark"
    mouse: bool = True
    ascii: bool = False
    """Draw with ASCII characters only."""
    bell: bool = False
    """Ring the terminal's bell, and write it into its title, when mail stops getting through on a queue."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Action id -> key, e.g. { shed = "x" }."""


class Settings(Section):
    """Everything queuectl can be told; `queuectl config show` prints each value with where it came from."""

    server: ServerSettings = ServerSettings()
    environment: EnvironmentSettings = EnvironmentSettings()
    queues: dict[Name, QueueSettings] = Field(default_factory=dict)
    pools: dict[Name, PoolSettings] = Field(default_factory=dict)
    providers: dict[Name, ProviderSettings] = Field(default_factory=lambda: {"default": ProviderSettings()})
    delivery: DeliverySettings = DeliverySettings()
    worker: WorkerSettings = WorkerSettings()
    daemon: DaemonSettings = DaemonSettings()
    automation: AutomationSettings = AutomationSettings()
    console: ConsoleSettings = ConsoleSettings()

    def provider_name(self, name: str) -> str:
        """The provider that delivers for `name`: itself, or the default where it is not configured."""
        return name if name in self.providers else "default"

    def provider(self, name: str) -> ProviderSettings:
        return self.providers.get(name) or self.providers.get("default") or ProviderSettings()
