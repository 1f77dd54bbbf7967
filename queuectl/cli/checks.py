"""Judgements of `queuectl doctor`: pure functions from facts to checks, each with an advice where one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from queuectl.model import FleetState, LedgerState
from queuectl.policy.fleet_findings import MEMORY_BAD, MEMORY_WARN
from queuectl.store.checks import ConfigFacts, OverflowFacts, ServerFacts

OLDEST = (6, 2)
LISTPACK_VALUE_BYTES = 1024
LISTPACK_ENTRIES = 32
LATENCY_WARN_MS, LATENCY_BAD_MS = 10.0, 100.0
CLOCK_WARN_S = 2.0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `advice` is what to do about it; empty when it is fine."""

    name: str
    level: Level
    text: str
    advice: str = ""


OUR_SCHEDULER = "queuectl"
"""Our daemons' name in RQ's scheduler locks; a stock scheduler writes its own."""


def server(facts: ServerFacts) -> Iterator[Check]:
    """Version, role, eviction, memory."""
    known = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    yield _judged("version", known >= OLDEST, f"{facts.product}, compatible with Redis {facts.version}",
                  "queuectl needs Redis 6.2 or newer, or any Valkey")  # fmt: skip
    if facts.role not in ("", "master"):
        yield Check("role", Level.BAD, f"this server is a {facts.role}", "name the primary in --url")
    yield _judged(
        "eviction",
        facts.eviction == "noeviction",
        f"maxmemory-policy {facts.eviction}",
        "messages can be evicted: CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
    )
    yield _memory(facts)


def _judged(name: str, fine: bool, text: str, advice: str, otherwise: Level = Level.BAD) -> Check:
    return Check(name, Level.OK, text) if fine else Check(name, otherwise, text, advice)


def _memory(facts: ServerFacts) -> Check:
    used = f"{facts.memory_bytes / 1e6:,.0f} MB used"
    if not facts.memory_max_bytes:
        return Check(
            "memory",
            Level.WARN,
            f"{used}, no maxmemory set",
            "set maxmemory below the machine's memory, so that the server refuses before it is killed",
        )
    share = facts.memory_bytes / facts.memory_max_bytes
    level = Level.BAD if share >= MEMORY_BAD else Level.WARN if share >= MEMORY_WARN else Level.OK
    advice = "" if level is Level.OK else "drain a deep queue to overflow, or raise maxmemory"
    return Check("memory", level, f"{used}, {share:.0%} of maxmemory", advice)


def config(facts: ConfigFacts | None, server: ServerFacts) -> Iterator[Check]:
    """How records are stored, and what a crash would lose. None: CONFIG is forbidden here."""
    if facts is None:
        yield Check(
            "records",
            Level.WARN,
            "CONFIG GET is not allowed here, so this is unknown",
            f"have hash-max-listpack-value set to {LISTPACK_VALUE_BYTES}: records take a third of the memory",
        )
    else:
        yield _records(facts)
    yield _persistence(facts, server)


def _records(facts: ConfigFacts) -> Check:
    value, entries = facts.listpack_value_bytes or 0, facts.listpack_entries or 0
    text = f"hash-max-listpack-value {value}, hash-max-listpack-entries {entries}"
    advice = (f"a waiting message takes up to three times the memory: CONFIG SET hash-max-listpack-value "
              f"{max(value, LISTPACK_VALUE_BYTES)}, hash-max-listpack-entries {max(entries, 128)}")  # fmt: skip
    return _judged("records", value >= LISTPACK_VALUE_BYTES and entries >= LISTPACK_ENTRIES, text, advice, Level.WARN)


def _persistence(facts: ConfigFacts | None, server: ServerFacts) -> Check:
    if not (server.aof_healthy and server.rdb_healthy):
        return Check("persistence", Level.BAD, "the last save failed", "see the server's log: is its disk full?")
    if server.aof:
        return Check("persistence", Level.OK, "append-only file")
    advice = "CONFIG SET appendonly yes, and the same in redis.conf"
    if facts is not None and not facts.save:
        return Check("persistence", Level.BAD, "none: a restart loses every message", advice)
    return Check("persistence", Level.WARN, "snapshots only: a crash loses what came since the last one", advice)


def fleet(state: FleetState) -> Iterator[Check]:
    """Leader, workers, ledger."""
    yield _judged("daemon", bool(state.leader), f"{state.leader or 'none'} leads",
                  "start one: queuectl daemon (the console starts one too)", Level.WARN)  # fmt: skip
    if state.server.suspended:
        yield Check("suspended", Level.BAD, "rq suspend is in force: no worker claims anything", "rq resume")
    unserved = [queue for queue in state.queues if queue.backlog and not queue.workers]
    names = ", ".join(f"{queue.name} ({queue.backlog:,} waiting)" for queue in unserved)
    yield _judged("workers", not unserved,
                  f"nobody serves {names}" if unserved else f"{len(state.workers)} processes, every backlog is served",
                  f"queuectl worker {' '.join(queue.name for queue in unserved)}")  # fmt: skip
    ghosts = [worker.name for worker in state.workers if worker.ghost]
    if ghosts:
        yield Check(
            "ghosts",
            Level.WARN,
            f"{len(ghosts)} without a heartbeat: {', '.join(ghosts[:5])}",
            "the leading daemon puts back what they held; a stock worker's registration ends by itself",
        )
    yield from _ledger(state)


def _ledger(state: FleetState) -> Iterator[Check]:
    wrong = [queue for queue in state.queues if queue.ledger.state is LedgerState.RESIDUE]
    if wrong:
        names = ", ".join(f"{queue.name} {queue.ledger.residue:+,}" for queue in wrong)
        yield Check(
            "ledger",
            Level.BAD,
            f"does not add up: {names}",
            "did another tool delete or push jobs? `queuectl status QUEUE --json` has the counters",
        )
    else:
        yield Check("ledger", Level.OK, "every counted message is accounted for")


def overflow(facts: OverflowFacts | None, state: FleetState) -> Iterator[Check]:
    """The overflow server, and segments that cannot be read."""
    away = sum(queue.overflow_away for queue in state.queues)
    if facts is None and away:
        yield Check("overflow", Level.BAD, f"{away:,} messages are kept on an overflow server that is not named here",
                    "name it: server.overflow_url")  # fmt: skip
    elif facts is not None and facts.trouble:
        yield Check("overflow", Level.BAD, f"{facts.trouble}; {away:,} messages are kept there",
                    "drains to overflow and refills stop until it is back; nothing is lost")  # fmt: skip
    elif facts is not None:
        yield _judged("overflow", facts.aof, f"the overflow server keeps {away:,} messages"
                      + ("" if facts.aof else " and no append-only file"),
                      "a crash there loses them: CONFIG SET appendonly yes, and the same in redis.conf")  # fmt: skip
    damaged = [(queue.name, queue.overflow_damaged + queue.shed_damaged) for queue in state.queues]
    names = ", ".join(f"{name} ({number:,})" for name, number in damaged if number)
    if names:
        yield Check("segments", Level.BAD, f"packed messages that cannot be read are set aside: {names}",
                    "`queuectl audit` says which; each refill tries them again")  # fmt: skip


def schedulers(state: FleetState, locks: Mapping[str, str]) -> Iterator[Check]:
    """Who promotes scheduled jobs."""
    stranded = [queue.name for queue in state.queues if queue.scheduled and queue.name not in locks]
    stock = sorted(queue for queue, holder in locks.items() if holder != OUR_SCHEDULER)
    if stranded and not state.leader:
        yield Check("scheduled", Level.BAD, f"nobody promotes the scheduled jobs of {', '.join(stranded)}",
                    "start a daemon: queuectl daemon")  # fmt: skip
    elif stock:
        yield Check(
            "scheduled", Level.OK, f"a stock RQ scheduler promotes {', '.join(stock)}; the daemon leaves them to it"
        )
    else:
        yield Check("scheduled", Level.OK, "no stock RQ scheduler holds a lock")


def policies(nameless: Sequence[str]) -> Check:
    """Queues that nobody described."""
    names = ", ".join(nameless[:10])
    return _judged("policies", not nameless,
                   f"default policy (normal, max age 4h) for {names}" if nameless else "every queue has a policy",
                   "describe each in the settings file: [queues.NAME] class, max_age_s, cap", Level.WARN)  # fmt: skip


def settings_file(found: Path | None, searched: Sequence[Path]) -> Check:
    if found:
        return Check("settings", Level.OK, str(found))
    return Check("settings", Level.WARN, "no settings file: defaults, environment and flags only",
                 f"write one of {', '.join(map(str, searched))}")  # fmt: skip


def latency(median_ms: float) -> Check:
    level = Level.BAD if median_ms >= LATENCY_BAD_MS else Level.WARN if median_ms >= LATENCY_WARN_MS else Level.OK
    advice = "" if level is Level.OK else "run daemons and workers near the server; the console copes"
    return Check("latency", level, f"PING {median_ms:.2f} ms, median of 20", advice)


def clock(difference_s: float) -> Check:
    text = f"this machine is {abs(difference_s):.1f} s {'behind' if difference_s > 0 else 'ahead of'} the server"
    return _judged(
        "clock",
        abs(difference_s) < CLOCK_WARN_S,
        text,
        "run a time service; queuectl counts in server time, logs and other tools do not",
        Level.WARN,
    )


def terminal(encoding: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the console can be drawn as meant."""
    yield _judged("locale", encoding.lower().replace("-", "").startswith("utf"), encoding or "unknown",
                  "set LANG=C.UTF-8, or use --ascii", Level.WARN)  # fmt: skip
    kind, colours = environ.get("TERM", ""), environ.get("COLORTERM", "")
    if environ.get("NO_COLOR"):
        yield Check("colours", Level.OK, f"none, NO_COLOR is set ({kind or 'no TERM'})")
    elif colours in ("truecolor", "24bit"):
        yield Check("colours", Level.OK, f"24-bit ({kind})")
    elif kind in ("", "dumb"):
        yield Check("colours", Level.WARN, f"TERM is {kind or 'not set'}", "set TERM, e.g. xterm-256color")
    else:
        yield Check("colours", Level.OK, f"{'256' if '256' in kind else '16'} ({kind})")
