from queuectl.console.widgets.spark import spark


def test_bars_go_from_nothing_to_the_largest():
    assert spark([0, 50, 100], 3) == "▁▅█"


def test_ascii_uses_a_plain_ramp():
    line = spark([0, 50, 100], 3, ascii=True)
    assert line.isascii()
    assert len(set(line)) == 3


def test_it_is_always_as_wide_as_asked():
    assert spark([1], 5) == "    █"
    assert spark([1, 2, 3, 4], 2) == "▆█"
    assert spark([], 3) == "   "
    assert spark([1], 0) == ""


def test_all_zero_is_flat():
    assert spark([0, 0], 2) == "▁▁"
