"""A pool's own command."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from queuectl.settings import Settings
from queuectl.settings.commands import filled

RQ = ("rq", "worker", "--name", "{name}", "{queues}")


def pool(**fields: object) -> Settings:
    return Settings.model_validate({"pools": {"legacy": {"queues": ["forum", "other"], **fields}}})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["rq", "worker", "--url", "{url}", "{name}", "{queues}"], "may hold a password"),
        (["rq", "worker", "{queues}"], "needs {name}"),
        (["rq", "{name}", "{port}"], "unknown placeholder {port}; allowed: {name}, {queues}, {pool}, {concurrency}"),
        (["rq", "{name}", "-q={queues}"], "an argument of its own"),
        (["rq", "{name}", "{"], "write a brace as {{ or }}"),
        (["rq", "{name!r:>{width}}"], "unknown placeholder"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(command: list[str], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        pool(command=command)
    assert said in str(refused.value)


def test_it_is_filled_in() -> None:
    arguments = filled((*RQ, "--note={pool}/{concurrency}", "{{}}"), name="n", pool="legacy", queues=("a", "b"),
                       concurrency=1)  # fmt: skip
    assert arguments == ("rq", "worker", "--name", "n", "a", "b", "--note=legacy/1", "{}")


def test_another_program_has_one_slot_unless_said() -> None:
    assert pool(command=RQ).pools["legacy"].slots == 1
    assert pool(command=RQ, concurrency=4).pools["legacy"].slots == 4
    assert pool().pools["legacy"].slots == 50
