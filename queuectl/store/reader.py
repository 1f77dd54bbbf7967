"""Take one picture of the deployment in one round trip; nothing here writes, or looks deeper the more mail waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from queuectl.model import FleetState, QueueState, ServerState, WorkerState
from queuectl.policy.rates import Counters, Rates, update
from queuectl.settings import Settings
from queuectl.store import audit, keys, lease, providers, series
from queuectl.store.client import Call, Steps, command, script
from queuectl.store.decode import pool_state, queue_state, text_map, worker_state
from queuectl.store.ids import PREFIX
from queuectl.store.scripts import load

READ = load("read_queue")
EVENTS = 50
PATIENCE_S = 5.0
QUEUES_A_CALL = 20
"""Bounds one script call; a hundred queues are five calls in the same round trip."""


@dataclass(slots=True)
class Reader:
    """Remembers names and counters between two pictures: names make the next one a single round trip, counters give
    rates where no daemon publishes them."""

    settings: Settings
    address: str = ""
    _names: tuple[str, ...] = ()
    _workers: tuple[str, ...] = ()
    _pools: tuple[str, ...] = ()
    _silent_since_s: float | None = None
    _shut: frozenset[str] = frozenset()
    """Providers that take nothing for now."""
    _counters: dict[str, Counters] = field(default_factory=dict)
    rates: dict[str, Rates] = field(default_factory=dict)

    def fleet(self) -> Steps[FleetState]:
        """The picture now. Raises ServerError when the server is away."""
        replies = yield self._calls()
        head, body = replies[: len(_HEAD)], replies[len(_HEAD) :]
        if self._learn(head):
            replies = yield self._calls()
            head, body = replies[: len(_HEAD)], replies[len(_HEAD) :]
        return self._assemble(head, body)

    def _calls(self) -> tuple[Call, ...]:
        chunks = [self._names[start : start + QUEUES_A_CALL] for start in range(0, len(self._names), QUEUES_A_CALL)]
        return (
            *_HEAD,
            *(command("HGETALL", key) for key in self._workers),
            *(command("HGETALL", keys.pool(name)) for name in self._pools),
            *providers.state_calls(tuple(self.settings.providers)),
            *(script(READ, (), (PREFIX, *chunk)) for chunk in chunks),
        )

    def _learn(self, head: Sequence[Any]) -> bool:
        """Take in new names; True when the calls have to be made again to cover them."""
        prefix = keys.queue("")
        named = {raw.decode().removeprefix(prefix) for raw in head[0]} | set(self.settings.queues)
        named |= {queue for pool in self.settings.pools.values() for queue in pool.queues}
        names, workers = tuple(sorted(named)), tuple(sorted(raw.decode() for raw in head[1]))
        pools = tuple(sorted(raw.decode() for raw in head[2]))
        changed = (names, workers, pools) != (self._names, self._workers, self._pools)
        self._names, self._workers, self._pools = names, workers, pools
        return changed

    def _assemble(self, head: Sequence[Any], body: Sequence[Any]) -> FleetState:
        _, _, _, leader, hosts, latest, now, memory, server, suspended, epoch, held, stream, undone = head
        now_s = int(now[0]) + int(now[1]) / 1e6
        split, pools_end = len(self._workers), len(self._workers) + len(self._pools)
        providers_end = pools_end + len(providers.state_calls(tuple(self.settings.providers)))
        workers = tuple(
            worker_state(key, record, now_s) for key, record in zip(self._workers, body[:split], strict=True) if record
        )
        published = series.published_rates(latest)
        provider_states = providers.states(self.settings.providers, body[pools_end:providers_end], now_s)
        self._shut = providers.shut(provider_states)
        queues = tuple(
            self._queue(row, workers, published, bool(suspended)) for chunk in body[providers_end:] for row in chunk
        )
        pools = tuple(
            pool_state(name, record, workers, now_s)
            for name, record in zip(self._pools, body[split:pools_end], strict=True)
            if record
        )
        fresh = sorted(host.decode() for host, at_s in hosts if float(at_s) > now_s - lease.HOST_FRESH_S)
        return FleetState(
            taken_at_s=now_s,
            server=self._server_state(server, memory, bool(suspended)),
            queues=queues,
            workers=workers,
            pools=pools,
            providers=provider_states,
            hosts=tuple(fresh),
            capacity=sum(int(most) for host, most in text_map(held).items() if host in fresh) if held else None,
            leader=lease.leader_of(leader) or None,
            published=self._published(bool(leader), bool(latest), now_s),
            managed=epoch is not None,
            events=audit.entries(stream, undone),
        )

    def _queue(
        self, row: Sequence[Any], workers: Sequence[WorkerState], published: Mapping[str, Rates], suspended: bool
    ) -> QueueState:
        name = row[0].decode()
        state, counters = queue_state(row, workers, self.settings.queues.get(name))
        shut = self.settings.provider_name(state.policy.provider) in self._shut
        counters = replace(counters, served=counters.served and not suspended, shut=shut)
        before = self._counters.get(name)
        if before:
            self.rates[name] = update(self.rates.get(name, Rates()), before, counters)
        self._counters[name] = counters
        return series.with_rates(state, published.get(name) or self.rates.get(name) or Rates())

    def _published(self, led: bool, fresh: bool, now_s: float) -> bool:
        """A daemon that has only just begun to lead is given a few seconds."""
        self._silent_since_s = None if fresh or not led else self._silent_since_s or now_s
        return self._silent_since_s is None or now_s - self._silent_since_s < PATIENCE_S

    def _server_state(self, server: Mapping[str, Any], memory: Mapping[str, Any], suspended: bool) -> ServerState:
        return ServerState(
            address=self.address,
            product=str(server.get("server_name") or "redis"),
            version=str(server.get("valkey_version") or server.get("redis_version", "")),
            run_id=str(server.get("run_id", "")),
            memory_bytes=int(memory.get("used_memory", 0)),
            memory_max_bytes=int(memory.get("maxmemory", 0)),
            eviction=str(memory.get("maxmemory_policy", "")),
            suspended=suspended,
        )


_HEAD: tuple[Call, ...] = (
    command("SMEMBERS", keys.QUEUES),
    command("SMEMBERS", keys.WORKERS),
    command("SMEMBERS", keys.POOLS),
    command("GET", keys.LEASE),
    command("ZRANGE", keys.HOSTS, 0, -1, "WITHSCORES"),
    command("GET", keys.LATEST),
    command("TIME"),
    command("INFO", "memory"),
    command("INFO", "server"),
    command("EXISTS", keys.SUSPENDED),
    command("GET", keys.EPOCH),
    command("HGETALL", keys.CAPACITY),
    *audit.recent_calls(EVENTS),
)
