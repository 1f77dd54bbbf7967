"""What delivery adds to messages: attachments, unsubscribe headers, signatures."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from queuectl.settings.section import Section

_URL = re.compile(r"https://[!-;=?-~]+")


class UnsubscribeSettings(Section):
    """List-Unsubscribe of messages in queues of class bulk, unless template or message bring their own."""

    url: str = ""
    """An https URL with {token}: who opens it (or, by One-Click, posts to it) is the recipient that
    `queuectl.mail.unsubscribe.address_of` reads from the token. Empty: none."""
    mailto: str = Field(default="", max_length=254, pattern=r"^$|^[!-;=?A-Z\[-~]+@[A-Za-z0-9.-]+$")
    """An address that takes requests by mail. Empty: none."""
    secret_env: str = ""
    """Name of the environment variable with the secret that signs the tokens."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if url and (not _URL.fullmatch(url) or "{token}" not in url):
            raise ValueError(
                "must be an https URL that holds {token}, such as https://shop.example/unsubscribe/{token}"
            )
        return url

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.url and not self.secret_env:
            raise ValueError("an unsubscribe url needs `secret_env`")
        return self


class DkimSettings(Section):
    """A DKIM signature by us. Worth it only where no relay behind us signs: RSA in Python costs 7 ms a message."""

    selector: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    domain: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    key_file: str = Field(min_length=1)
    """RSA private key, PEM."""
