"""Attachments: files that messages name, read when they are sent and kept ready for the next message."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
from collections import OrderedDict
from collections.abc import Sequence
from email.message import MIMEPart
from email.policy import SMTP
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from queuectl.model import Attachment, QueuectlError, UsageError

CACHED_BYTES = 64 * 1024 * 1024
LONGEST_NAME = 150
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\"<>:|?*]")
"""Control characters, those that turn the direction of writing (`gpj.exe`), and what file systems do not take."""


class AttachmentError(QueuectlError):
    """An attachment that will never be there as it is; the text names the file."""


class Attachments:
    """The encoded parts of one folder's files. A campaign's one file is read once, and again when it changes."""

    def __init__(self, folder: str, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._parts: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._cached_bytes = 0

    async def load(self, wanted: Sequence[Attachment]) -> tuple[str, ...]:
        """MIME parts, ASCII with CRLF. Raises AttachmentError when one is missing, or all are too large; UsageError
        while the folder is not there."""
        return await asyncio.to_thread(self._load, wanted)

    def _load(self, wanted: Sequence[Attachment]) -> tuple[str, ...]:
        folder = self._existing_folder()
        files = [(attachment, *_find(folder, attachment)) for attachment in wanted]
        size = sum(status.st_size for _, _, status in files)
        if size > self._most_bytes:
            raise AttachmentError(f"attachments have {size:,} bytes; at most {self._most_bytes:,} are allowed")
        return tuple(self._part(attachment, path, status) for attachment, path, status in files)

    def _existing_folder(self) -> Path:
        if not self._folder:
            raise UsageError("a message has attachments, but delivery.attachment_dir is not set")
        folder = Path(self._folder)
        if not folder.is_dir():
            raise UsageError(f"delivery.attachment_dir {self._folder} is not there")
        return folder.resolve()

    def _part(self, attachment: Attachment, path: Path, status: os.stat_result) -> str:
        key = (path, status.st_mtime_ns, status.st_size, attachment.name, attachment.type)
        part = self._parts.pop(key, None)
        if part is None:
            part = _encode(attachment, path)
            self._cached_bytes += len(part)
        self._parts[key] = part
        while self._cached_bytes > CACHED_BYTES and self._parts:
            self._cached_bytes -= len(self._parts.popitem(last=False)[1])
        return part


def _find(folder: Path, attachment: Attachment) -> tuple[Path, os.stat_result]:
    try:
        path = (folder / attachment.path).resolve()
        if not path.is_relative_to(folder):
            raise AttachmentError(f"attachment {attachment.path}: outside the folder for attachments")
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        raise AttachmentError(f"attachment {attachment.path}: {_why(error)}") from error
    if not S_ISREG(status.st_mode):
        raise AttachmentError(f"attachment {attachment.path}: not a file")
    return path, status


def _encode(attachment: Attachment, path: Path) -> str:
    name = safe_name(attachment.name or path.name)
    guessed = mimetypes.guess_type(name)[0] or ""
    kind = attachment.type or guessed
    if not kind or kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AttachmentError(f"attachment {attachment.path}: {_why(error)}") from error
    part = MIMEPart(policy=SMTP)
    maintype, _, subtype = kind.partition("/")
    part.set_content(data, maintype=maintype, subtype=subtype, disposition="attachment", filename=name)
    return part.as_bytes().decode("ascii")


def safe_name(name: str) -> str:
    """A name that is only a name: no folders, nothing hidden, nothing that confuses."""
    last = PurePosixPath(name.replace("\\", "/")).name
    cleaned = _UNSAFE.sub("_", last).strip(" .")
    if len(cleaned) > LONGEST_NAME:
        stem, dot, suffix = cleaned.rpartition(".")
        cleaned = f"{stem[: LONGEST_NAME - 11]}.{suffix}" if dot and len(suffix) <= 10 else cleaned[:LONGEST_NAME]
    return cleaned or "attachment"


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else "not a file name"
