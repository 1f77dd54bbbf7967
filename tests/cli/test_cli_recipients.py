"""Reading recipients: every row good or bad, with line and reason; headings that cannot work refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.cli.recipients import BadRow, Recipients, Row
from queuectl.model import UsageError


def rows(tmp_path: Path, content: str | bytes, **aliases: str) -> list[Row | BadRow]:
    path = tmp_path / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with Recipients(path, aliases) as recipients:
        return list(recipients)


def bad(found: list[Row | BadRow]) -> list[tuple[str, str]]:
    return [(row.where, row.reason) for row in found if isinstance(row, BadRow)]


def test_rows_with_their_lines(tmp_path: Path) -> None:
    found = rows(tmp_path, 'to,name\na@example.org,Ana\n\nb@example.org,"Bo, Jr."\n')
    assert found == [
        Row(2, "a@example.org", {"to": "a@example.org", "name": "Ana"}),
        Row(4, "b@example.org", {"to": "b@example.org", "name": "Bo, Jr."}),
    ]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfto,name\na@b.example,Ana", b"to,name\r\na@b.example,Ana\r\n",
                                     b" to , name \na@b.example,Ana"])  # fmt: skip
def test_what_spreadsheets_write(tmp_path: Path, content: bytes) -> None:
    (row,) = rows(tmp_path, content)
    assert isinstance(row, Row)
    assert (row.to, row.params["name"]) == ("a@b.example", "Ana")


@pytest.mark.parametrize("heading", ["email", "Email", "TO", "To"])
def test_the_recipients_column_keeps_its_name_too(tmp_path: Path, heading: str) -> None:
    (row,) = rows(tmp_path, f"name,{heading}\nAna,a@b.example\n")
    assert isinstance(row, Row)
    assert row.params == {"name": "Ana", heading: "a@b.example", "to": "a@b.example"}


def test_aliases(tmp_path: Path) -> None:
    content = "E-mail,First name\na@b.example,Ana\n"
    (row,) = rows(tmp_path, content, to="E-mail", name="First name")
    assert isinstance(row, Row)
    assert (row.to, row.params["name"]) == ("a@b.example", "Ana")


def test_only_selected_variables_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("to,name,more\na@b.example,Ana,x\n")
    with Recipients(path) as recipients:
        recipients.select({"name"})
        assert [row.params for row in recipients if isinstance(row, Row)] == [{"name": "Ana"}]


def test_bad_rows_do_not_stop_the_good_ones(tmp_path: Path) -> None:
    content = b'to,name\na@b.example\nb@b.example,Bo,x\nc@b.example,J\xf6rg\nd@b.example,"Di" x\ne@b.example,Eve\n'
    found = rows(tmp_path, content)
    assert bad(found) == [
        ("line 2", "1 fields where the heading has 2"),
        ("line 3", "3 fields where the heading has 2"),
        ("line 4", "not UTF-8 (byte 0xf6)"),
        ("line 5", "text after a closing quote; a quote inside a field has to be doubled"),
    ]
    assert [row.to for row in found if isinstance(row, Row)] == ["e@b.example"]


def test_a_quote_that_is_never_closed_names_all_its_lines(tmp_path: Path) -> None:
    found = rows(tmp_path, 'to,name\na@b.example,Ana\n"b@b.example,Bo\nc@b.example,Cy\n')
    assert bad(found) == [("lines 3-4", "a quote is opened and not closed")]


def test_a_field_without_end_is_bounded(tmp_path: Path) -> None:
    found = rows(tmp_path, 'to,name\na@b.example,"' + "x" * 200_000 + "\n")
    assert bad(found)[0] == ("line 2", "a quote is opened and not closed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n", "is blank"),
        (b"name,topic\n", "no column `to` or `email`; columns are: name, topic; --to-column names another"),
        (b"to;name\n", "is it divided by something else than commas?"),
        (b"to,name,name\n", "column 'name' stands there twice"),
        (b"to,,name\n", "column 2 has no name"),
        (b"to,n\xe4me\n", "not UTF-8"),
        ("to,name\n".encode("utf-16"), "not UTF-8"),
        (b'to,"name\n', "a quote is opened and not closed"),
    ],
)
def test_headings_that_cannot_work(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=r"people\.csv") as raised:
        rows(tmp_path, content)
    assert said in str(raised.value)


def test_an_alias_for_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no column 'Mail' for 'to'; columns are: email, name"):
        rows(tmp_path, "email,name\n", to="Mail")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Recipients(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="not a file"):
        Recipients(tmp_path)
