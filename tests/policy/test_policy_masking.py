"""Addresses do not survive masking."""

from __future__ import annotations

from queuectl.policy.masking import mask_address, mask_text


def test_masking() -> None:
    assert mask_address("ana@example.org") == "a…@example.org"
    assert mask_address("nothing") == "…"
    assert mask_text("from <ana@example.org> to bob@b.example.") == "from <a…@example.org> to b…@b.example."
    assert mask_text("'ana.lima+x@example.org', ok") == "'a…@example.org', ok"
    assert mask_text("no address here @ all") == "no address here @ all"
