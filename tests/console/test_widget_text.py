from queuectl.console.glyphs import ASCII, UNICODE
from queuectl.console.widgets.text import clean, fit_text


def test_escapes_in_names_never_reach_the_terminal():
    assert clean("a\x1b[2Jb\u202ec\n", ascii=False) == "a?[2Jb?c?"


def test_ascii_mode_replaces_what_the_terminal_cannot_show():
    assert clean("café", ascii=True) == "caf?"
    assert clean("café", ascii=False) == "café"


def test_padding_follows_the_alignment():
    assert fit_text("12", 4, "right", UNICODE) == "  12"
    assert fit_text("ab", 4, "left", UNICODE) == "ab  "


def test_a_cut_shows_its_sign():
    assert fit_text("newsletter", 5, "left", UNICODE) == "news…"
    assert fit_text("newsletter", 5, "left", ASCII) == "news~"
    assert fit_text("newsletter", 1, "left", UNICODE) == "…"
    assert fit_text("newsletter", 0, "left", UNICODE) == ""


def test_wide_characters_count_double():
    assert fit_text("日本語", 6, "left", UNICODE) == "日本語"
    assert fit_text("日本語", 5, "left", UNICODE) == "日本…"
    assert fit_text("日本語", 4, "left", UNICODE) == "日 …"
