from dataclasses import fields

import pytest
from rich.cells import cell_len

from queuectl.console.glyphs import ASCII, UNICODE, Glyphs, glyphs

SIGNS = [field.name for field in fields(Glyphs) if field.name != "ascii"]


def test_the_terminal_decides_the_set():
    assert glyphs(True) is ASCII
    assert glyphs(False) is UNICODE


@pytest.mark.parametrize("name", SIGNS)
def test_every_sign_has_an_ascii_twin(name: str):
    assert getattr(ASCII, name).isascii()
    assert getattr(ASCII, name).isprintable()


@pytest.mark.parametrize("name", [name for name in SIGNS if name != "arrow"])
def test_signs_are_one_cell_wide_so_that_columns_stand(name: str):
    assert cell_len(getattr(UNICODE, name)) == 1
    assert cell_len(getattr(ASCII, name)) == 1


@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_states_differ_without_colour(signs: Glyphs):
    assert len({signs.ok, signs.warn, signs.bad, signs.stock}) == 4
