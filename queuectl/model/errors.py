"""Failures that an operator is told about in words, with the exit code of each."""

from __future__ import annotations


class QueuectlError(Exception):
    """A failure with a message fit for an operator; `exit_code` as in DESIGN.md §9."""

    exit_code = 1


class UsageError(QueuectlError):
    """Bad input: says what was wrong, where, and what is allowed."""

    exit_code = 2


class RefusedError(QueuectlError):
    """The gate said no: read-only, protected, or the state changed meanwhile."""

    exit_code = 3


class ServerError(QueuectlError):
    """No server, or not one we can use."""

    exit_code = 4
