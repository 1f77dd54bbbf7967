"""The settings file as pydantic models: what may be set, its unit, its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from queuectl.model import AUTOMATION, Direction, Objective, OrderBlock, Policy, QueueClass, RetryClass, Switch
from queuectl.settings.alerts import AlertSettings
from queuectl.settings.commands import check_command
from queuectl.settings.contexts import ContextSettings, EnvironmentSettings
from queuectl.settings.hygiene import DkimSettings, UnsubscribeSettings
from queuectl.settings.limits import ReceiverSettings, RetrySettings, WarmupSettings
from queuectl.settings.routes import RouteSettings
from queuectl.settings.rules import RuleSet, RuleSettings
from queuectl.settings.section import Name, Section

OnAmbiguous = Literal["resend", "hold"]


class ServerSettings(Section):
    url: str = ""
    """redis://, rediss://, unix:// or redis+sentinel://h1:26379,h2:26379/master/0; empty: the embedded server."""
    data_dir: str = ""
    """Where the embedded server keeps its data; empty: $XDG_DATA_HOME/queuectl or ~/.local/share/queuectl."""
    overflow_url: str = ""
    """A second Redis or Valkey that keeps overflow, addressed like `url`; empty: overflow stays on the first. The same
    for every daemon and console; it needs persistence, since what it keeps is nowhere else."""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    """How long one command may take before the server counts as gone."""


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
    surge: Literal["off", "auto"] = "off"
    """auto: while the queue holds more than some seconds of work, arrivals wait in a surge queue behind it, from where
    they come back by themselves, in order."""
    overflow: Literal["off", "auto"] = "off"
    """auto: while the surge queue holds more than some minutes of work, or memory is short, arrivals are packed, and
    come back by themselves; needs surge = "auto"."""
    objective: Objective = Objective.COMPLETENESS
    """What the queue prefers when it cannot have both: every message delivered, or fresh ones."""
    order_block_s: float = Field(default=900.0, gt=0)
    """How long a message that is tried again may keep others with its ordering key waiting."""
    on_order_block: OrderBlock = OrderBlock.SKIP
    """What happens then: skip (it goes on outside its key), supersede (it is given up), keep (it goes on blocking)."""
    priority: int = Field(default=50, ge=0, le=100)
    """Of messages that name none themselves: under pressure, low ones are shed first, 100 never. Which queue the
    workers take first is the order of a pool's `queues`, or its `weights`."""
    provider: Name = "default"
    """Which entry of [providers] delivers this queue."""
    on_ambiguous: OnAmbiguous | None = None
    """What becomes of a message that may have arrived; unset: as `delivery.on_ambiguous` says."""
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
            surge=self.surge == AUTOMATION,
            overflow=self.overflow == AUTOMATION,
            order_block_s=self.order_block_s,
            on_order_block=self.on_order_block,
            priority=self.priority,
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
    helps: tuple[Name, ...] = ()
    """Queues of other pools that its workers serve with up to 80 % of their slots while their own have no work."""
    command: tuple[str, ...] = ()
    """What its workers are started with in place of `queuectl worker`, e.g. ["rq", "worker", "--name", "{name}",
    "{queues}"]. {queues} is one argument a queue; {name} is needed, for by its workers' names a pool is known again;
    {pool} and {concurrency} may stand anywhere. The server's URL is in RQ_REDIS_URL and QUEUECTL_URL, since a process
    list shows arguments, and SIGTERM must be a warm shutdown."""

    @field_validator("command")
    @classmethod
    def _understood(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        return check_command(command)

    @property
    def slots(self) -> int:
        """Messages in flight inside one worker: one, where another program works and nothing else is said."""
        return 1 if self.command and "concurrency" not in self.model_fields_set else self.concurrency

    @model_validator(mode="after")
    def _helps_others(self) -> PoolSettings:
        if both := set(self.helps) & set(self.queues):
            raise ValueError(f"queue {min(both)!r} stands in `queues` and in `helps`")
        return self


class TimeoutSettings(Section):
    """Seconds; where RFC 5321 §4.5.3.2 says how long a client has to wait at least, that is the default. A peer that is
    gone without a word is noticed within 45 s by TCP itself, whatever these say."""

    connect_s: float = Field(default=30.0, gt=0)
    """Host name, TCP and, where it comes first, TLS."""
    greeting_s: float = Field(default=300.0, gt=0)
    """The server's 220."""
    command_s: float = Field(default=60.0, gt=0)
    """EHLO, STARTTLS and its handshake, login, RSET."""
    mail_s: float = Field(default=300.0, gt=0)
    rcpt_s: float = Field(default=300.0, gt=0)
    data_s: float = Field(default=120.0, gt=0)
    """354 to DATA."""
    block_s: float = Field(default=180.0, gt=0)
    """While a message is under way, the server has to take some of it in this time."""
    final_dot_s: float = Field(default=600.0, gt=0)
    """The answer to the whole message. Too short a time here sends mail twice."""


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
    connections_per_s: float = Field(default=0.0, ge=0)
    """New SMTP connections a second over all workers; 0: no limit."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Most messages a second over all workers; 0: no limit until the provider throttles."""
    burst: int = Field(default=20, ge=1)
    """Messages that may go at once above the rate."""
    warmup: WarmupSettings | None = None
    """Most messages on each day of a warm-up: { started = 2026-11-01, per_day = [200, 500, 1000] }."""
    adaptive: bool = True
    """Halve the rate when the provider throttles, stop while it refuses us for our reputation, and recover."""
    dry_run: bool = False
    """Only tell what `adaptive` would do, in the audit log and beside the provider; never slow or stop."""
    rules: RuleSet = "auto"
    """Whose replies to understand, besides the generic ones; auto: by the host's name."""
    reply_rules: tuple[RuleSettings, ...] = ()
    """Rules of your own, read before the shipped ones: [[providers.NAME.reply_rules]]."""
    fallback: Name | Literal[""] = ""
    """The provider that delivers in its place while it is suspended or cannot be reached."""
    messages_per_connection: int = Field(default=500, ge=1)
    timeouts: TimeoutSettings = TimeoutSettings()
    """How long each step of an SMTP session may take."""
    transport: Name = "smtp"
    """smtp; maildir writes messages into the folder `path`, for development; null accepts everything and sends nothing,
    for benches; or what an installed package brings (entry points `queuectl.transports`)."""
    path: str = ""
    """The folder of `maildir`."""
    options: dict[str, str | bool | int | float] = Field(default_factory=dict)
    """What the transport of an installed package wants to know besides."""

    @model_validator(mode="after")
    def _complete(self) -> ProviderSettings:
        if self.transport == "maildir" and not self.path:
            raise ValueError("transport 'maildir' needs `path`, the folder to write to")
        return self


class DeliverySettings(Section):
    sender: str = "queuectl <queuectl@localhost>"
    """From header where message and template name none."""
    message_id_domain: str = Field(default="queuectl.localhost", pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    """Right-hand side of the Message-ID, which is derived from the job id and so survives retries."""
    attempts: int = Field(default=6, ge=1, le=100)
    """Deliveries tried before a message with transient replies is failed."""
    retries: dict[RetryClass, RetrySettings] = Field(default_factory=dict)
    """Delays by what kept a message back, where the usual ones do not do: { recipient = { base_s = 600 } }; classes are
    recipient, greylisted, provider, connection, account, sender, message, ambiguous."""
    retry_share: float = Field(default=0.1, gt=0, le=1)
    """Share of a queue's deliveries that retries may take while fresh mail waits."""
    keep_delivered_s: float = Field(default=0.0, ge=0)
    """How long a delivered job stays readable; 0 removes it at once."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Most messages a second over all queues, providers and workers; 0: no limit."""
    burst: int = Field(default=100, ge=1)
    """Messages that may go at once above that rate."""
    on_ambiguous: OnAmbiguous = "resend"
    """What becomes of a message that may have arrived (its server did not answer the final dot, or its worker died
    then): resend (with the same Message-ID) or hold (it is failed as ambiguous, for an operator to retry or delete)."""
    suppress_bounces: bool = True
    """Put an address that does not exist (a permanent 5.1.x) on the suppression list."""
    template_dir: str = ""
    """The folder of the routes' templates, where events are published. Empty: the current directory."""
    attachment_dir: str = ""
    """The folder that messages' attachments are in, on every host with workers. Empty: messages have none."""
    attachment_max_bytes: int = Field(default=10 * 1024 * 1024, ge=1)
    """Most bytes of all attachments of one message together."""
    unsubscribe: UnsubscribeSettings = UnsubscribeSettings()
    dkim: DkimSettings | None = None
    """Sign messages; needs the extra `queuectl[dkim]`. Unset: they are not signed here."""


class WorkerSettings(Section):
    grace_s: float = Field(default=30.0, ge=0)
    """How long a stopping worker waits for what is in flight before it hands the rest back."""
    lease_s: float = Field(default=60.0, ge=5)
    """A claim not renewed for this long is repaired."""


class DaemonSettings(Section):
    supervise: bool = True
    """Start and stop this host's worker processes towards each pool's desired count."""
    capacity: int | None = Field(default=None, ge=0, le=1000)
    """Most worker processes on this host, over all pools; pools are shared among hosts by it. Unset: eight a core."""
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

    surge_enter_work_s: float = Field(default=5.0, gt=0, le=3600)
    """A queue with more work than this has its arrivals wait in surge; refill keeps it at 0.7 of it."""
    surge_enter_for_s: float = Field(default=10.0, ge=0)
    """It must have had so much work for this long."""
    overflow_enter_work_s: float = Field(default=600.0, gt=0)
    """With more work than this in surge, arrivals are packed into overflow; at a fifth of it, that ends."""
    shed_enter_for_s: float = Field(default=15.0, ge=0)
    """Pressure must be high for this long before shedding begins."""
    shed_leave_for_s: float = Field(default=60.0, ge=0)
    """Pressure must be low for this long before shedding ends."""
    shed_keep_s: float = Field(default=7 * 86400.0, gt=0)
    """Shed messages that nobody has replayed in this time are removed."""
    lifo_enter_for_s: float = Field(default=60.0, ge=0)
    """The predicted wait must exceed the max age for this long before newest goes first."""
    lifo_leave_for_s: float = Field(default=60.0, ge=0)
    """The predicted wait must be under half the max age for this long before oldest goes first again."""
    clear_within_s: float = Field(default=600.0, gt=0)
    """A scaled pool gets workers to clear its backlog in this time."""
    settle_s: float = Field(default=300.0, ge=0)
    """A pool shrinks only to the most workers that were needed in this time."""
    scale_up_window_s: float = Field(default=30.0, gt=0)
    """A pool at most doubles in this time."""
    scale_down_window_s: float = Field(default=60.0, gt=0)
    """A pool loses at most a fifth of its workers, or one, in this time."""


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
    contexts: dict[Name, ContextSettings] = Field(default_factory=dict)
    """Other servers by name, e.g. [contexts.staging] url = "redis://…"; the rest of the settings holds for all."""
    queues: dict[Name, QueueSettings] = Field(default_factory=dict)
    pools: dict[Name, PoolSettings] = Field(default_factory=dict)
    providers: dict[Name, ProviderSettings] = Field(default_factory=lambda: {"default": ProviderSettings()})
    receivers: dict[Name, ReceiverSettings] = Field(default_factory=dict)
    """Receiving domains with a limit of their own, e.g. [receivers.gmail] domains = ["gmail.com", "googlemail.com"]."""
    routes: dict[Name, tuple[RouteSettings, ...]] = Field(default_factory=dict)
    """Kind of event -> the mail it becomes; `default` for kinds that have none of their own."""
    delivery: DeliverySettings = DeliverySettings()
    worker: WorkerSettings = WorkerSettings()
    daemon: DaemonSettings = DaemonSettings()
    automation: AutomationSettings = AutomationSettings()
    alerts: AlertSettings = AlertSettings()
    console: ConsoleSettings = ConsoleSettings()

    @model_validator(mode="before")
    @classmethod
    def _queues_of_routes(cls, given: Any) -> Any:
        """A route may say class and provider of a queue that [queues] does not describe."""
        if not isinstance(given, dict) or not isinstance(given.get("routes"), dict):
            return given
        queues = dict(given.get("queues") or {})
        for route in (one for rules in given["routes"].values() if isinstance(rules, list | tuple) for one in rules):
            known = queues.get(route.get("queue"), {}) if isinstance(route, dict) else None
            if isinstance(known, dict):
                said = {name: route[name] for name in ("class", "provider") if name in route}
                queues |= {route.get("queue"): said | known} if said else {}
        return given | {"queues": queues}

    def holds_ambiguous(self, queue: str) -> bool:
        """Whether the queue's messages that may have arrived are held, not sent again."""
        own = self.queues[queue].on_ambiguous if queue in self.queues else None
        return (own or self.delivery.on_ambiguous) == "hold"

    def in_context(self, name: str) -> Settings:
        """The settings with the server and the environment of [contexts.NAME]."""
        context = self.contexts[name]
        server = self.server.model_copy(update={"url": context.url, "overflow_url": ""})
        return self.model_copy(update={"server": server, "environment": context.environment(name, self.environment)})

    def provider_name(self, name: str) -> str:
        """The provider that delivers for `name`: itself, or the default where it is not configured."""
        return name if name in self.providers else "default"

    def provider(self, name: str) -> ProviderSettings:
        return self.providers.get(name) or self.providers.get("default") or ProviderSettings()
