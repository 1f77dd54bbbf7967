"""Settings: which source wins, where each value came from, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from queuectl.model import Policy, QueueClass, Switch, UsageError
from queuectl.settings import QueueSettings, Settings, load, mask_url, values

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str) -> Path:
        path = tmp_path / "queuectl.toml"
        path.write_text(text)
        return path

    return put


def refusal(**sources: object) -> str:
    with pytest.raises(UsageError) as error:
        load(**{"environ": {}, **sources})  # type: ignore[arg-type]
    return str(error.value)


class TestPrecedence:
    """Flag > environment > file > default."""

    def test_each_source_outranks_the_next(self, write: Write) -> None:
        file = write('[server]\nurl = "redis://file"\n[console]\nrefresh_s = 2\n')
        environ = {"QUEUECTL_URL": "redis://environment"}
        assert load(environ={}).settings.server.url == ""
        assert load(config=file, environ={}).settings.server.url == "redis://file"
        assert load(config=file, environ=environ).settings.server.url == "redis://environment"
        loaded = load(config=file, environ=environ, flags={"server.url": "redis://flag", "console.theme": None})
        assert loaded.settings.server.url == "redis://flag"
        assert dict(loaded.origins) == {"server.url": "--url", "console.refresh_s": str(file)}

    def test_rq_and_ours_both_name_the_server(self, write: Write) -> None:
        environ = {"REDIS_URL": "redis://theirs"}
        loaded = load(config=write('[server]\nurl = "redis://file"\n'), environ=environ)
        assert (loaded.settings.server.url, loaded.origins["server.url"]) == ("redis://theirs", "REDIS_URL")
        loaded = load(environ={**environ, "QUEUECTL_URL": "redis://ours"})
        assert (loaded.settings.server.url, loaded.origins["server.url"]) == ("redis://ours", "QUEUECTL_URL")
        assert load(environ={"REDIS_URL": ""}).settings.server.url == ""

    def test_variables_divide_at_two_underscores(self) -> None:
        loaded = load(environ={"QUEUECTL_WORKER__GRACE_S": "7.5", "QUEUECTL_QUEUES__FORUM__CLASS": "bulk",
                               "QUEUECTL_ENVIRONMENT__READ_ONLY": "true", "QUEUECTL_THEME": "paper",
                               "QUEUECTL_CONFIG": "", "QUEUECTL_ASCII": "1", "OTHER": "x"})  # fmt: skip
        settings = loaded.settings
        assert (settings.worker.grace_s, settings.environment.read_only, settings.console.theme) == (7.5, True, "paper")
        assert settings.queues["forum"].queue_class is QueueClass.BULK
        assert loaded.origins["queues.forum.class"] == "QUEUECTL_QUEUES__FORUM__CLASS"

    def test_a_variable_changes_one_value_of_a_section(self, write: Write) -> None:
        file = write("[queues.forum]\ncap = 5\nmax_age_s = 60\n")
        queue = load(config=file, environ={"QUEUECTL_QUEUES__FORUM__CAP": "9"}).settings.queues["forum"]
        assert (queue.cap, queue.max_age_s) == (9, 60)


class TestFiles:
    """Where the settings file is looked for."""

    def test_the_first_found_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here, home = tmp_path / "here", tmp_path / "home"
        here.mkdir()
        monkeypatch.chdir(here)
        personal = home / ".config" / "queuectl" / "queuectl.toml"
        personal.parent.mkdir(parents=True)
        personal.write_text('[console]\ntheme = "personal"\n')
        assert load(environ={"HOME": str(home)}).settings.console.theme == "personal"
        elsewhere = {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path)}
        assert load(environ=elsewhere).settings.console.theme == "queuectl-dark"
        (here / "queuectl.toml").write_text('[console]\ntheme = "here"\n')
        assert load(environ={"HOME": str(home)}).settings.console.theme == "here"

    def test_a_named_one_must_exist(self, write: Write, tmp_path: Path) -> None:
        file = write('[console]\ntheme = "x"\n')
        assert load(environ={"QUEUECTL_CONFIG": str(file)}).settings.console.theme == "x"
        gone = tmp_path / "gone.toml"
        assert refusal(config=gone) == f"settings file {gone} does not exist"
        assert refusal(environ={"QUEUECTL_CONFIG": str(gone)}) == f"settings file {gone} does not exist"

    def test_one_that_cannot_be_read(self, write: Write) -> None:
        assert "not valid TOML: " in refusal(config=write("[server\n"))
        latin = write("")
        latin.write_bytes("# Grüße".encode("latin-1"))
        assert refusal(config=latin) == f"{latin}: not UTF-8 at byte 4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sever]\nurl = 'x'", "unknown key 'sever'; allowed here: alerts, automation, console"),
        ("[server]\nport = 1", "unknown key 'server.port'; allowed here: data_dir, overflow_url, timeout_s, url"),
        ("[queues.a]\nclas = 'bulk'", "unknown key 'queues.a.clas'; allowed here: burst, cap, class, "),
        ("[queues.a]\nclass = 'huge'", "queues.a.class = 'huge': Input should be 'protected', 'normal' or 'bulk'"),
        ("[queues.a]\ncap = 0", "queues.a.cap = 0: Input should be greater than or equal to 1"),
        ("[queues.'a b']\ncap = 1", "String should match pattern"),
        ("[pools.p]\nworkers = 1", "pools.p.queues"),
        ("[pools.p]\nqueues = []", "pools.p.queues = []: Tuple should have at least 1 item"),
        ("[server]\ntimeout_s = 'long'", "server.timeout_s = 'long': Input should be a valid number"),
        ("server = 3", "server = 3: "),
        ("[queues.a]\nprovider = 'ses'", "queues.a.provider = 'ses': no such provider; known: default"),
        (
            "[providers.p]\nhost = 'mx.example.org'\ntls = 'none'",
            "providers.p.tls = 'none' is accepted for loopback only",
        ),
    ],
)
def test_a_wrong_value_is_told_with_file_key_value_and_what_is_allowed(write: Write, text: str, said: str) -> None:
    file = write(text)
    told = refusal(config=file)
    assert said in told
    assert told.startswith(f"{file}: ")


def test_a_wrong_variable_or_flag_is_named() -> None:
    assert refusal(environ={"QUEUECTL_WORKER__GRACE_S": "x"}).startswith(
        "QUEUECTL_WORKER__GRACE_S: worker.grace_s = 'x'"
    )
    assert refusal(environ={"QUEUECTL_NONSENSE": "x"}).startswith("QUEUECTL_NONSENSE: unknown key 'nonsense'")
    assert refusal(flags={"console.refresh_s": 0}).startswith("--refresh-s: console.refresh_s = 0")


def test_a_value_where_a_section_belongs_is_told(write: Write) -> None:
    assert "is not a section" in refusal(config=write("worker = 1"), environ={"QUEUECTL_WORKER__GRACE_S": "1"})


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    assert len(refusal(config=write("[queues.a]\ncap = 0\nmax_age_s = -1\nx = 1")).splitlines()) == 3


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_no_tls_is_fine_on_loopback(host: str) -> None:
    assert load(environ={"QUEUECTL_PROVIDERS__P__HOST": host}).settings.providers["p"].host == host


@pytest.mark.parametrize("host", ["10.0.0.1", "mx.example.org", "127.0.0.1.example.org", ""])
def test_and_nowhere_else(host: str) -> None:
    assert "loopback only" in refusal(
        environ={"QUEUECTL_PROVIDERS__P__HOST": host, "QUEUECTL_PROVIDERS__P__TLS": "none"}
    )
    assert load(environ={"QUEUECTL_PROVIDERS__P__HOST": host or "x", "QUEUECTL_PROVIDERS__P__TLS": "implicit"})


def test_every_value_is_listed_with_its_origin(write: Write) -> None:
    file = write('[server]\nurl = "redis://:secret@h/0"\n[queues.a]\ncap = 7\n')
    shown = {key: (value, origin) for key, value, origin in values(load(config=file, environ={}))}
    assert shown["server.url"] == ("redis://:***@h/0", str(file))
    assert shown["queues.a.cap"] == ("7", str(file))
    assert shown["queues.a.class"] == ("normal", "default")
    assert shown["worker.lease_s"] == ("60.0", "default")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("rediss://user:p:w@h/2", "rediss://user:***@h/2"),
        ("redis://user@h", "redis://user@h"),
        ("redis://u:p@ss@h/0", "redis://u:***@h/0"),
        ("redis://u:p/w@h/0", "redis://u:***@h/0"),
        ("unix:///run/redis.sock?password=pw&db=1", "unix:///run/redis.sock"),
        ("redis://h?password=pw", "redis://h"),
        ("redis+sentinel://u:p@h1:1,h2:2/m/0?sentinel_password=x", "redis+sentinel://u:***@h1:1,h2:2/m/0"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_passwords_in_addresses_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_a_queues_settings_become_its_policy() -> None:
    queue = QueueSettings.model_validate({"class": "bulk", "max_age_s": 60, "cap": 5, "shed": "on", "provider": "p"})
    policy = queue.policy()
    assert policy == Policy(QueueClass.BULK, max_age_s=60, cap=5, shed=Switch.ON, provider="p")
    assert not policy.protected
    assert Settings().queues == {}
