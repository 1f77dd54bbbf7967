"""Drain, refill, replay: driven from the command line, watched, or left to others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from command_runs import Cli, Terminal
from redis import Redis

from queuectl.cli.follow import follow
from queuectl.settings import Settings
from queuectl.store import operations
from queuectl.store.client import Steps, Store
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate

T = TypeVar("T")
Fill = Callable[[str, int], list[str]]


def test_drain_to_overflow_refill_and_nothing_is_lost(cli: Cli, fill: Fill, redis: Redis) -> None:
    ids = fill("forum", 2500)
    done = cli("drain", "forum", "--to", "overflow", "--yes")
    assert done.out.splitlines()[1:] == ["2,500 messages moved to overflow", "undo: queuectl undo 1"]
    assert redis.llen("rq:queue:forum") == 0
    assert cli("refill", "forum", "--yes").code == 0
    assert sorted(redis.lrange("rq:queue:forum", 0, -1)) == sorted(job_id.encode() for job_id in ids)


def test_a_limit_is_kept(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 1700)
    cli("drain", "forum", "--to", "overflow", "--limit", "1,200", "--yes")
    assert redis.llen("rq:queue:forum") == 500


def test_shed_mail_is_replayed(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 30)
    cli("drain", "forum", "--to", "shed", "--yes")
    assert redis.llen("rq:queue:forum") == 0
    assert "30 messages moved back from shed" in cli("replay-shed", "forum", "--yes").out
    assert redis.llen("rq:queue:forum") == 30


def test_drain_to_another_queue_and_undo(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 30)
    fill("slow", 1)
    assert "30 messages moved to slow" in cli("drain", "forum", "--to", "slow", "--yes").out
    assert redis.llen("rq:queue:slow") == 31
    assert cli("undo", "1", "--yes").code == 0
    assert (redis.llen("rq:queue:forum"), redis.llen("rq:queue:slow")) == (30, 1)


def test_older_than_takes_only_those(cli: Cli, fill: Fill) -> None:
    fill("forum", 30)
    result = cli("drain", "forum", "--to", "shed", "--older-than", "1h", "--yes")
    assert (result.code, result.out[:13]) == (0, "nothing to do")


def test_a_drain_into_itself_or_nowhere_is_refused(cli: Cli, fill: Fill) -> None:
    fill("forum", 30)
    assert cli("drain", "forum", "--to", "forum", "--yes").code == 3
    assert cli("drain", "forum", "--to", "nowhere", "--yes").code == 2


def test_no_wait_leaves_it_to_whoever_drives(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 30)
    left = cli("drain", "forum", "--to", "overflow", "--yes", "--no-wait")
    assert left.code == 0
    assert "no daemon leads: it goes on when one starts" in left.err
    assert redis.llen("rq:queue:forum") == 30
    redis.set("queuectl:lease", "mx7:41|1")
    assert "carried on by the daemon mx7:41" in cli("drain", "forum", "--to", "shed", "--yes", "--no-wait").err


def test_an_operation_that_another_process_drives_is_watched(
    cli: Cli, fill: Fill, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("forum", 30)
    cli("drain", "forum", "--to", "overflow", "--yes", "--no-wait")
    with open_store(redis_url) as other, Watched(open_store(redis_url).connection) as store:
        (operation,) = other.run(operations.running())
        other.run(operations.drive(operation.op_id, driver="elsewhere:1"))
        driver = threading.Thread(target=_finish, args=(other, operation.op_id, store.turned_away))
        driver.start()
        assert follow(store, Gate(Settings(), "ana@mx1"), operation.op_id, wait=True) == 0
        driver.join()
    assert capsys.readouterr().out == "30 messages moved to overflow\n"


class Watched(Store):
    """Tells when it was not allowed to drive."""

    def __init__(self, connection: Redis) -> None:
        super().__init__(connection)
        self.turned_away = threading.Event()

    def run(self, steps: Steps[T]) -> T:
        result = super().run(steps)
        if result is None:
            self.turned_away.set()
        return result


def _finish(store: Store, op_id: str, when: threading.Event) -> None:
    assert when.wait(30)
    while not store.run(operations.drive(op_id, driver="elsewhere:1")).finished:
        pass


def test_a_paced_refill_keeps_its_rate_in_the_record(cli: Cli, fill: Fill) -> None:
    fill("forum", 30)
    cli("drain", "forum", "--to", "overflow", "--yes")
    assert "at 1,000/s" in cli("refill", "forum", "--rate", "1000", "--yes").out
    assert json.loads(cli("status", "forum", "--json").out)["queues"][0]["overflow"] == 0


def interrupted_refill(cli: Cli, fill: Fill, terminal: Callable[..., Terminal]) -> Terminal:
    """At one message a second it would take half an hour."""
    fill("forum", 2000)
    cli("drain", "forum", "--to", "overflow", "--yes")
    refilling = terminal("refill", "forum", "--rate", "1", "--yes")
    refilling.see("messages at 1/s")
    refilling.type("\x03")
    assert refilling.end() == 130
    assert "Traceback" not in refilling.shown
    return refilling


def test_ctrl_c_stops_it_where_no_daemon_leads(
    cli: Cli, fill: Fill, terminal: Callable[..., Terminal], redis: Redis, redis_url: str
) -> None:
    shown = interrupted_refill(cli, fill, terminal).shown
    assert "no daemon leads, so it was stopped: " in shown
    with open_store(redis_url) as store:
        assert store.run(operations.running()) == ()
    back = redis.llen("rq:queue:forum")
    assert 0 < back < 100
    assert f"{2000 - back:,} messages moved back" in cli("refill", "forum", "--yes").out


def test_ctrl_c_leaves_it_to_the_daemon(
    cli: Cli, fill: Fill, terminal: Callable[..., Terminal], redis: Redis, redis_url: str
) -> None:
    redis.set("queuectl:lease", "mx7:41|1")
    assert "the daemon mx7:41 carries it on" in interrupted_refill(cli, fill, terminal).shown
    with open_store(redis_url) as store:
        (operation,) = store.run(operations.running())
        assert 0 < operation.done < 100


def test_stop_and_continue(cli: Cli, fill: Fill, redis: Redis) -> None:
    ids = fill("forum", 2500)
    cli("drain", "forum", "--to", "overflow", "--yes", "--no-wait")
    stopped = cli("stop", "forum", "--yes", "--reason", "provider is back")
    assert stopped.out.splitlines()[0] == "Stop the drain to overflow of forum, 0 so far (#2)"
    assert redis.llen("rq:queue:forum") == 2500
    assert cli("stop", "forum", "--yes").out == "nothing to stop: no drain or refill is under way on forum\n"
    went_on = cli("continue", "forum", "--yes")
    assert "2,500 messages moved to overflow" in went_on.out
    assert (
        cli("continue", "forum", "--yes").err == "queuectl: no drain or refill of forum was stopped that could go on\n"
    )
    cli("undo", "1", "--yes")
    assert [raw.decode() for raw in redis.lrange("rq:queue:forum", 0, -1)] == ids


def test_replay_takes_time_and_reason(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 30)
    cli("drain", "forum", "--to", "shed", "--yes")
    wrong = cli("replay-shed", "forum", "--reason", "max-age", "--yes")
    assert (wrong.code, "for 'max-age', but: operator" in wrong.err) == (2, True)
    replayed = cli("replay-shed", "forum", "--reason", "operator", "--since", "1h", "--why", "all clear", "--yes")
    assert "30 messages moved back from shed" in replayed.out
    entry = json.loads(cli("audit", "--json", "--limit", "1").out)["entries"][0]
    assert (entry["reason"], entry["after"]) == ("all clear", "30 back of the last 1h for operator")
    assert redis.llen("rq:queue:forum") == 30
