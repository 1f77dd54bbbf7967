"""Run store code against a server, from synchronous and asynchronous callers alike.

Store functions are generators that yield tuples of calls and receive their replies: what is asked and what is decided
stands once, and only these two classes know how to talk. One tuple is one round trip.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from queuectl.model import QueuectlError, ServerError
from queuectl.store.scripts import Script

T = TypeVar("T")
Argument = str | bytes | int | float


class LeaseLostError(QueuectlError):
    """A daemon wrote with a fence that is no longer the lease's value; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command, or one script with its keys and arguments."""

    args: tuple[Argument, ...]
    script: Script | None = None


Steps = Generator[tuple[Call, ...], list[Any], T]


def command(*args: Argument) -> Call:
    return Call(args)


def script(which: Script, keys: Sequence[str] = (), args: Sequence[Argument] = ()) -> Call:
    return Call(("EVALSHA", which.sha, len(keys), *keys, *args), which)


def ask(call: Call) -> Steps[Any]:
    """One call alone: `reply = yield from ask(command("PING"))`."""
    (reply,) = yield (call,)
    return reply


class Store:
    """A synchronous connection."""

    def __init__(self, connection: redis.Redis) -> None:
        self.connection: Any = connection

    def run(self, steps: Steps[T]) -> T:
        """Drive `steps` to its end. Raises ServerError when the server is away or refuses us."""
        replies: list[Any] | None = None
        try:
            while True:
                calls = steps.send(replies)  # type: ignore[arg-type]
                with _translated():
                    replies = self._execute(calls)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    def _execute(self, calls: tuple[Call, ...]) -> list[Any]:
        pipeline = self.connection.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call.args)
        replies = pipeline.execute(raise_on_error=False)
        for index, which in _unknown_scripts(calls, replies):
            self.connection.execute_command("SCRIPT LOAD", which.source)
            replies[index] = self.connection.execute_command(*calls[index].args)
        return _checked(replies)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncStore:
    """The same on asyncio."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        self.connection: Any = connection

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` to its end. Raises ServerError when the server is away or refuses us."""
        replies: list[Any] | None = None
        try:
            while True:
                calls = steps.send(replies)  # type: ignore[arg-type]
                with _translated():
                    replies = await self._execute(calls)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def _execute(self, calls: tuple[Call, ...]) -> list[Any]:
        pipeline = self.connection.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call.args)
        replies = await pipeline.execute(raise_on_error=False)
        for index, which in _unknown_scripts(calls, replies):
            await self.connection.execute_command("SCRIPT LOAD", which.source)
            replies[index] = await self.connection.execute_command(*calls[index].args)
        return _checked(replies)

    @contextlib.asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[Any]:
        """A pubsub subscribed to `channel`."""
        pubsub = self.connection.pubsub()
        try:
            await pubsub.subscribe(channel)
            yield pubsub
        finally:
            await pubsub.aclose()

    async def close(self) -> None:
        await self.connection.aclose()


def _unknown_scripts(calls: tuple[Call, ...], replies: list[Any]) -> Iterator[tuple[int, Script]]:
    """Scripts the server does not hold (first use, restart, SCRIPT FLUSH); only these are run again."""
    for index, (call, reply) in enumerate(zip(calls, replies, strict=True)):
        if call.script and isinstance(reply, NoScriptError):
            yield index, call.script


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the client's exceptions into failures an operator can act on."""
    try:
        yield
    except AuthenticationError as error:
        raise ServerError(f"the server refused the password or user: {error}") from error
    except NoPermissionError as error:
        raise ServerError(f"this user may not do that on the server: {error}") from error
    except BusyLoadingError as error:
        raise ServerError("the server is still loading its data") from error
    except (ConnectionError, TimeoutError, OSError) as error:
        raise ServerError(f"no server: {error}") from error
    except ResponseError as error:
        raise _explained(_STRIPPED.get(type(error), "") + str(error)) from error
    except RedisError as error:
        raise ServerError(f"the server did not answer as Redis does: {error}") from error


_STRIPPED: dict[type[ResponseError], str] = {OutOfMemoryError: "OOM ", ReadOnlyError: "READONLY "}
"""Codes that the client turns into classes and takes off the text."""


def _explained(text: str) -> QueuectlError:
    if text.startswith(("NOAUTH", "WRONGPASS")):
        return ServerError(f"the server wants another password or user: {text}")
    if text.startswith("FENCED"):
        return LeaseLostError("another daemon leads now")
    if text.startswith("READONLY"):
        return ServerError("the server is a read-only replica; use the primary's address")
    if text.startswith("OOM"):
        return ServerError("the server is out of memory (maxmemory) and takes no writes")
    if text.startswith("MISCONF"):
        return ServerError("the server cannot save to disk and takes no writes (see its log)")
    if "unknown command" in text.lower():
        return ServerError(f"the server is not a Redis or Valkey of version 6.2 or newer: {text}")
    return QueuectlError(f"the server answered: {text}")
