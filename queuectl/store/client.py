"""Run store code against a server, from synchronous and asynchronous callers alike.

Store functions are generators that yield tuples of calls and receive their replies: what is asked and what is decided
stands once, and only these two classes know how to talk. One tuple is one round trip.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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


class OverflowServerError(ServerError):
    """The second server, which keeps overflow, is away, refuses us, or is not named in the settings."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command, or one script with its keys and arguments. The calls of a round trip go to one server."""

    args: tuple[Argument, ...]
    script: Script | None = None
    elsewhere: bool = False
    """For the overflow server. Without arguments: is one configured?"""


Steps = Generator[tuple[Call, ...], list[Any], T]


def command(*args: Argument) -> Call:
    return Call(args)


def elsewhere(*args: Argument) -> Call:
    """A command for the overflow server."""
    return Call(args, elsewhere=True)


OVERFLOW_CONFIGURED = Call((), elsewhere=True)
"""Asks the connection, not a server: True when it knows an overflow server."""


def script(which: Script, keys: Sequence[str] = (), args: Sequence[Argument] = ()) -> Call:
    return Call(("EVALSHA", which.sha, len(keys), *keys, *args), which)


def ask(call: Call) -> Steps[Any]:
    """One call alone: `reply = yield from ask(command("PING"))`."""
    (reply,) = yield (call,)
    return reply


class Store:
    """A synchronous connection."""

    def __init__(self, connection: redis.Redis, overflow: Store | None = None) -> None:
        self.connection: Any = connection
        self.overflow = overflow

    def run(self, steps: Steps[T]) -> T:
        """Drive `steps` to its end; a failure is thrown into it, to be handled there.

        Raises ServerError when the server is away or refuses us.
        """
        go_on: Callable[[], tuple[Call, ...]] = partial(next, steps)
        try:
            while True:
                calls = go_on()
                try:
                    with _translated():
                        go_on = partial(steps.send, self._ask(calls))
                except QueuectlError as error:
                    go_on = partial(steps.throw, error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    def _ask(self, calls: tuple[Call, ...]) -> list[Any]:
        if not calls[0].elsewhere:
            return self._execute(calls)
        if calls == (OVERFLOW_CONFIGURED,):
            return [self.overflow is not None]
        with _of_overflow_server(self.overflow is not None):
            return self.overflow._execute(calls)  # type: ignore[union-attr]

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
        if self.overflow:
            self.overflow.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncStore:
    """The same on asyncio."""

    def __init__(self, connection: redis.asyncio.Redis, overflow: AsyncStore | None = None) -> None:
        self.connection: Any = connection
        self.overflow = overflow

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` to its end; a failure is thrown into it, to be handled there.

        Raises ServerError when the server is away or refuses us.
        """
        go_on: Callable[[], tuple[Call, ...]] = partial(next, steps)
        try:
            while True:
                calls = go_on()
                try:
                    with _translated():
                        go_on = partial(steps.send, await self._ask(calls))
                except QueuectlError as error:
                    go_on = partial(steps.throw, error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def _ask(self, calls: tuple[Call, ...]) -> list[Any]:
        if not calls[0].elsewhere:
            return await self._execute(calls)
        if calls == (OVERFLOW_CONFIGURED,):
            return [self.overflow is not None]
        with _of_overflow_server(self.overflow is not None):
            return await self.overflow._execute(calls)  # type: ignore[union-attr]

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

    @contextlib.asynccontextmanager
    async def blocking(self) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
        """A connection of its own, which the pool does not count, for commands whose replies may be long in coming:
        `await ask("BLMOVE", …)`."""
        connection = self.connection.connection_pool.make_connection()
        with _translated():
            await connection.connect()

        async def ask(*args: Argument) -> Any:
            with _translated():
                await connection.send_command(*args)
                return await connection.read_response(timeout=math.inf)

        try:
            yield ask
        finally:
            await connection.disconnect()

    async def close(self) -> None:
        await self.connection.aclose()
        if self.overflow:
            await self.overflow.close()


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


@contextlib.contextmanager
def _of_overflow_server(configured: bool) -> Iterator[None]:
    if not configured:
        raise OverflowServerError("these messages are kept on an overflow server; name it: server.overflow_url")
    try:
        with _translated():
            yield
    except QueuectlError as error:
        raise OverflowServerError(f"the overflow server: {error}") from error


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
