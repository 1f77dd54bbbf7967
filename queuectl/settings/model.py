"""The settings file as pydantic models: what may be set, its unit, its default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from queuectl.model import Direction, Policy, QueueClass, Switch

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
    direction: Direction = Direction.FIFO
    """The standing direction, when no operator overrides it."""
    shed: Switch = Switch.OFF
    """The standing shed state, when no operator overrides it."""
    provider: Name = "default"
    """Which entry of [providers] delivers this queue."""

    def policy(self) -> Policy:
        return Policy(self.queue_class, self.max_age_s, self.target_wait_s, self.cap, self.direction, self.shed,
                      self.provider)  # fmt: skip


class PoolSettings(Section):
    queues: tuple[Name, ...] = Field(min_length=1)
    """Queues its workers serve, most important first."""
    workers: int = Field(default=1, ge=0, le=1000)
    """Worker processes over all hosts, while nobody scales the pool by hand."""
    concurrency: int = Field(default=50, ge=1, le=5000)
    """Messages in flight inside one worker."""


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


class ConsoleSettings(Section):
    refresh_s: float = Field(default=1.0, ge=0.5, le=60)
    """How often the console asks for a new picture, seconds."""
    theme: str = "queuectl-dark"
    mouse: bool = True
    ascii: bool = False
    """Draw with ASCII characters only."""
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
    console: ConsoleSettings = ConsoleSettings()

    def provider(self, name: str) -> ProviderSettings:
        return self.providers.get(name) or self.providers.get("default") or ProviderSettings()
