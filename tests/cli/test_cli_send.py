"""`queuectl send`: everybody once, whatever interrupts it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from command_runs import Cli, command_line
from redis import Redis

from queuectl import Outbox
from queuectl.cli.progress import LineMeter
from queuectl.cli.recipients import Recipients
from queuectl.cli.sending import PATIENCE, Sender
from queuectl.mail.templates import decode
from queuectl.model import QueuectlError, SetShed, Switch
from queuectl.settings import Settings
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "digest.txt"
    path.write_text("Subject: News for {{ name }}\n\nHello {{ name }}, you get this at {{ email }}.\n")
    return path


@pytest.fixture
def people(tmp_path: Path) -> Callable[..., Path]:
    def write(number: int, *extra: str) -> Path:
        path = tmp_path / "people.csv"
        rows = [f"user{index}@example.org,User {index},unused" for index in range(number)]
        path.write_text("\n".join(["email,name,more", *rows, *extra]) + "\n")
        return path

    return write


def arguments(template: Path, recipients: Path, *more: str) -> list[str | Path]:
    return ["send", "--queue", "forum", "--template", template, "--recipients", recipients, *more]


def recipients_of(redis: Redis) -> list[str]:
    found = []
    for job_id in redis.lrange("rq:queue:forum", 0, -1):
        data = redis.hget(f"rq:job:{job_id.decode()}", "data")
        found.append(json.loads(zlib.decompress(data))[2][0]["to"])
    return found


def test_everybody_gets_it_and_a_rerun_sends_nobody_twice(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis
) -> None:
    argv = arguments(template, people(1200), "--campaign", "nov")
    sent = cli(*argv)
    assert sent.code == 0
    assert sent.out.startswith("forum: 1,200 accepted, 0 duplicate, 0 bad (campaign nov")
    assert sorted(recipients_of(redis)) == sorted(f"user{index}@example.org" for index in range(1200))
    again = cli(*argv)
    assert (again.code, again.out[:43]) == (0, "forum: 0 accepted, 1,200 duplicate, 0 bad (")
    assert redis.llen("rq:queue:forum") == 1200


def test_the_message_names_the_stored_template_and_only_what_it_uses(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis
) -> None:
    cli(*arguments(template, people(1), "--campaign", "nov"))
    (job_id,) = redis.lrange("rq:queue:forum", 0, -1)
    (message,) = json.loads(zlib.decompress(redis.hget(f"rq:job:{job_id.decode()}", "data")))[2]
    assert message["params"] == {"name": "User 0", "email": "user0@example.org"}
    stored = redis.get(f"queuectl:template:{message['template']}")
    assert decode(message["template"], stored).subject == "News for {{ name }}"


def test_without_a_campaign_a_rerun_is_still_safe(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    argv = arguments(template, people(10))
    first = cli(*argv)
    assert "derived from the recipients' file and the template" in first.err
    assert "0 accepted, 10 duplicate" in cli(*argv).out
    template.write_text(template.read_text() + "PS\n")
    assert "10 accepted" in cli(*argv).out


def test_bad_rows_are_told_by_line_and_the_others_sent(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis
) -> None:
    path = people(3, "nobody at example,Bo,x", ",Cy,x", "d@example.org,Di", "user0@example.org,Again,x")
    sent = cli(*arguments(template, path, "--campaign", "nov"))
    assert sent.code == 1
    assert "line 5: not an e-mail address: …" in sent.err
    assert "line 6: no address" in sent.err
    assert "line 7: 2 fields where the heading has 3" in sent.err
    assert "3 accepted, 1 duplicate, 3 bad" in sent.out
    assert redis.llen("rq:queue:forum") == 3


def test_addresses_in_reports_are_masked(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    sent = cli(*arguments(template, people(1, "very.secret@bad_domain@x,Bo,x"), "--campaign", "nov"))
    assert "line 3: not an e-mail address: v…@x" in sent.err
    assert "secret" not in sent.err


def test_only_the_first_bad_rows_are_printed(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    sent = cli(*arguments(template, people(1, *["nobody,x,x"] * 50), "--campaign", "nov"))
    assert sent.err.count("not an e-mail address") == 20
    assert "1 accepted, 0 duplicate, 50 bad" in sent.out


def test_strict_sends_nothing_when_one_row_is_bad(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis
) -> None:
    sent = cli(*arguments(template, people(600, "nobody,x,x"), "--campaign", "nov", "--strict"))
    assert sent.code == 1
    assert "line 602: not an e-mail address" in sent.err
    assert "nothing was sent: 1 bad row (--strict)" in sent.err
    assert redis.keys("*") == []
    assert cli(*arguments(template, people(600), "--campaign", "nov", "--strict")).code == 0
    assert redis.llen("rq:queue:forum") == 600


def test_strict_renders_every_row(cli: Cli, template: Path, people: Callable[..., Path], redis: Redis) -> None:
    template.write_text("Subject: Hi\n\n{{ 1 / (name|length - 3) }} {{ email }}\n")
    sent = cli(*arguments(template, people(2, "a@example.org,Ana,x"), "--strict"))
    assert sent.code == 1
    assert "line 4: template" in sent.err
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Subject: Hi\n\n{{ nme }}\n",
            "uses {{ nme }}, which the data does not have; columns are: email, more, name, to",
        ),
        ("Subject: Hi\n\n{{ name\n", "digest.txt:3:"),
        ("Hi\n\nthere\n", "not a header"),
        ("Subject: Hi\n\n{{ name|nofilter }}\n", "nofilter"),
        ("Subject: Hi\n\n{{ 1 / 0 }}\n", "tried with line 2 of"),
    ],
)
def test_a_template_that_cannot_work_stops_before_the_first_message(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis, text: str, said: str
) -> None:
    template.write_text(text)
    result = cli(*arguments(template, people(3)))
    assert result.code == 2
    assert said in result.err
    assert redis.keys("*") == []


def test_files_that_are_missing_or_lack_the_column(cli: Cli, template: Path, tmp_path: Path) -> None:
    people = tmp_path / "p.csv"
    people.write_text("mail,name\n")
    assert cli(*arguments(template, tmp_path / "nowhere.csv")).code == 2
    assert cli(*arguments(tmp_path / "nowhere.txt", people)).code == 2
    result = cli(*arguments(template, people))
    assert (result.code, "no column `to` or `email`; columns are: mail, name" in result.err) == (2, True)


def test_columns_are_renamed(cli: Cli, template: Path, tmp_path: Path, redis: Redis) -> None:
    people = tmp_path / "export.csv"
    people.write_text("E-mail,First name\na@example.org,Ana\n")
    argv = arguments(
        template, people, "--to-column", "E-mail", "--column", "name=First name", "--column", "email=E-mail"
    )
    assert cli(*argv).code == 0
    assert recipients_of(redis) == ["a@example.org"]


def test_a_read_only_environment_sends_nothing(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    assert cli(*arguments(template, people(3)), QUEUECTL_ENVIRONMENT__READ_ONLY="1").code == 3


def test_a_queue_nobody_serves_is_said(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    assert "note: forum is a new queue" in cli(*arguments(template, people(1), "--campaign", "a")).err
    assert "note: no worker serves forum now" in cli(*arguments(template, people(1), "--campaign", "b")).err


def test_no_server(cli: Cli, template: Path, people: Callable[..., Path]) -> None:
    assert cli(*arguments(template, people(1)), QUEUECTL_URL="redis://127.0.0.1:1").code == 4


def test_a_server_that_goes_away_says_how_far_it_came(
    cli: Cli, template: Path, people: Callable[..., Path], own_server: Callable[..., object]
) -> None:
    """Out of memory after some batches, as a full server is."""
    server = own_server(maxmemory="3mb")
    url = server.url  # type: ignore[attr-defined]
    sent = cli(*arguments(template, people(20_000), "--campaign", "nov"), QUEUECTL_URL=url)
    assert sent.code == 4
    assert "out of memory" in sent.err
    with closing(Redis.from_url(url)) as client:
        admitted = client.llen("rq:queue:forum")
        client.config_set("maxmemory", "0")
    assert f"{admitted:,} accepted" in sent.err
    assert "run the same command again" in sent.err
    assert f"{20_000 - admitted:,} accepted, {admitted:,} duplicate" in cli(*arguments(
        template, people(20_000), "--campaign", "nov"), QUEUECTL_URL=url).out  # fmt: skip


def test_ctrl_c_then_a_rerun_reaches_everybody_once(
    cli: Cli, template: Path, people: Callable[..., Path], redis: Redis, process_environ: dict[str, str]
) -> None:
    argv = arguments(template, people(4000), "--campaign", "nov")
    with subprocess.Popen(command_line(*argv, "--rate", "400"), env=process_environ, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:  # fmt: skip
        while redis.llen("rq:queue:forum") == 0 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()
    assert child.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    admitted = redis.llen("rq:queue:forum")
    assert 0 < admitted < 4000
    assert f"interrupted: {admitted:,} accepted" in err
    assert "run the same command again to go on: nobody gets it twice" in err
    assert f"{4000 - admitted:,} accepted, {admitted:,} duplicate" in cli(*argv).out
    assert sorted(recipients_of(redis)) == sorted(f"user{index}@example.org" for index in range(4000))


def test_a_terminal_gets_a_bar(
    on_terminal: Callable[..., tuple[int, str]], template: Path, people: Callable[..., Path]
) -> None:
    code, shown = on_terminal(*arguments(template, people(2000), "--campaign", "nov"))
    assert code == 0
    assert "100%" in shown
    assert "ETA" in shown
    assert "2,000 accepted" in shown


def refusing(redis: Redis, redis_url: str) -> Gate:
    """A queue that sheds and takes only 600."""
    redis.sadd("rq:queues", "rq:queue:forum")
    redis.hset("queuectl:policy:forum", mapping={"cap": 600, "class": "bulk"})
    gate = Gate(Settings(), "ana@ops")
    with open_store(redis_url) as store:
        store.run(gate.commit(store.run(gate.preview(SetShed("forum", Switch.ON)))))
    return gate


def test_a_refusing_queue_is_waited_for_and_nothing_is_dropped(
    people: Callable[..., Path], redis: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gate, waited = refusing(redis, redis_url), []

    def lift(seconds: float) -> None:
        waited.append(seconds)
        if seconds:
            with open_store(redis_url) as store:
                store.run(gate.commit(store.run(gate.preview(SetShed("forum", Switch.OFF)))))

    with Outbox(redis_url) as outbox, Recipients(people(2000)) as recipients:
        sender = Sender(outbox, "forum", "t", "nov", LineMeter("sending"), lift)
        sender.send(recipients)
    assert sender.tally.accepted == 2000
    assert max(waited) == 30.0
    assert "its high watermark; trying again in 30s (1 of 20)" in capsys.readouterr().err
    assert len(set(recipients_of(redis))) == 2000


def test_a_queue_that_goes_on_refusing_ends_the_send(people: Callable[..., Path], redis: Redis, redis_url: str) -> None:
    refusing(redis, redis_url)
    waited: list[float] = []
    with Outbox(redis_url) as outbox, Recipients(people(2000)) as recipients:
        sender = Sender(outbox, "forum", "t", "nov", LineMeter("sending"), waited.append)
        with pytest.raises(QueuectlError, match="goes on refusing"):
            sender.send(recipients)
    assert sender.tally.accepted == redis.llen("rq:queue:forum") == 600
    assert sum(waited) == PATIENCE * 30.0


def test_a_rate_is_kept(people: Callable[..., Path], redis_url: str) -> None:
    """Paused so that what is accepted never runs ahead of the rate; measured by the pauses asked for."""
    waited: list[float] = []
    with Outbox(redis_url) as outbox, Recipients(people(300)) as recipients:
        Sender(outbox, "forum", "t", "nov", LineMeter("sending"), waited.append, rate_per_s=0.5).send(recipients)
    assert len([pause for pause in waited if pause > 0]) == 300
    assert 590 < max(waited) <= 600
