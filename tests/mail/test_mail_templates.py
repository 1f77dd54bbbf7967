"""Template files, their errors with file and line, and rendering that leaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.mail.templates import (
    Renderer,
    TemplateError,
    check,
    decode,
    encode,
    make_template,
    read_template,
    variables,
)
from queuectl.model import UsageError


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_text_template(tmp_path: Path) -> None:
    template = read_template(write(tmp_path / "digest.txt", "Subject: Hi {{ name }}\n\nDear {{ name }},\n\nbye\n"))
    assert (template.sender, template.subject, template.text, template.html) == (
        "", "Hi {{ name }}", "Dear {{ name }},\n\nbye\n", "")  # fmt: skip
    assert len(template.template_id) == 12
    assert variables(template) == {"name"}


def test_a_template_with_sender_and_html_as_windows_writes_it(tmp_path: Path) -> None:
    write(tmp_path / "digest.html", "<p>{{ name }} {{ link }}</p>\r\n")
    path = write(tmp_path / "digest.txt", "\ufeffFrom: Shop <s@example.org>\r\nsubject: Hi: you\r\n\r\ntext\r\n")
    template = read_template(path)
    assert (template.sender, template.subject) == ("Shop <s@example.org>", "Hi: you")
    assert (template.text, template.html) == ("text\n", "<p>{{ name }} {{ link }}</p>\n")
    assert variables(template) == {"name", "link"}


def test_the_id_is_the_contents() -> None:
    one = make_template("s", "t", "h", "f")
    assert make_template("s", "t", "h", "f") == one
    assert (
        len({one.template_id, make_template("s", "t", "h").template_id, make_template("st", "", "h").template_id}) == 3
    )
    assert decode(one.template_id, encode(one)) == one


@pytest.mark.parametrize("blob", [b"", b"\xff", b"[]", b'{"subject": "s"}', b"3"])
def test_a_blob_that_is_no_template(blob: bytes) -> None:
    with pytest.raises(TemplateError, match="abc"):
        decode("abc", blob)


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        ("Hello {{ name }}\n\nbody\n", ":1: ", "not a header"),
        ("Subject: x\nReply-To: y\n\nbody\n", ":2: ", "allowed before the blank line: Subject, From, Unsubscribe"),
        ("Subject: x\nSubject: y\n\nbody\n", ":2: ", "a second"),
        ("From: a@example.org\n\nbody\n", ":1: ", "no `Subject:` line"),
        ("", ":1: ", "not a header"),
        ("Subject: {{ x\n\nbody\n", ":1: ", "end of template"),
        ("From: a@example.org\nSubject: {{ x\n\nbody\n", ":2: ", "end of template"),
        ("Subject: x\n\none\ntwo {% if %}\n", ":4: ", "Expected an expression"),
        ("Subject: x\n\n{{ a|nofilter }}\n", ":3: ", "nofilter"),
        (b"Subject: x\n\none\n\xe9t\xe9\n", ":4: ", "not UTF-8 (byte 0xe9)"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, content: str | bytes, where: str, words: str) -> None:
    path = write(tmp_path / "bad.txt", content)
    with pytest.raises(UsageError) as caught:
        read_template(path)
    assert f"{path}{where}" in str(caught.value)
    assert words in str(caught.value)


def test_an_error_in_the_html_part_names_that_file(tmp_path: Path) -> None:
    html = write(tmp_path / "a.html", "<p>\n{{ x }</p>\n")
    path = write(tmp_path / "a.txt", "Subject: x\n\nbody\n")
    with pytest.raises(UsageError, match=r"a\.html:2: ") as caught:
        read_template(path)
    assert str(html) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_template(tmp_path / "none.txt")


def test_check_names_what_is_missing_and_what_there_is() -> None:
    template = make_template("Hi {{ nmae }}", "{% for item in items %}{{ item }}{% endfor %}", "{{ link }}")
    check(template, ["nmae", "items", "link", "more"])
    with pytest.raises(UsageError) as caught:
        check(template, ["name", "items", "link"], "digest.txt")
    assert str(caught.value) == (
        "template digest.txt uses {{ nmae }}, which the data does not have; columns are: items, link, name"
    )


def test_rendering() -> None:
    template = make_template(
        "Hi {{ name|upper }}",
        "{% for item in items %}\n- {{ item.title }}: {{ '%.2f' % item.price }}\n{% endfor %}\nbye, {{ name }}\n",
        "<p>{{ name }}</p>",
        "{{ shop }} <s@example.org>",
    )
    rendered = Renderer(template).render(
        {"name": "A&B <x>", "shop": "West", "items": [{"title": "T&1", "price": 2}, {"title": "T2", "price": 3.5}]}
    )
    assert rendered.subject == "Hi A&B <X>"
    assert rendered.sender == "West <s@example.org>"
    assert rendered.text == "- T&1: 2.00\n- T2: 3.50\nbye, A&B <x>\n"
    assert rendered.html == "<p>A&amp;B &lt;x&gt;</p>"


@pytest.mark.parametrize(
    "name", ["Ana\r\nBcc: eve@example.org", "Ana\n\nBcc: eve@example.org", "Ana\u2028Bcc: eve@example.org"]
)
def test_a_line_break_in_a_parameter_starts_no_header(name: str) -> None:
    rendered = Renderer(make_template("Hi {{ name }}!", "x", sender="{{ name }} <s@example.org>")).render(
        {"name": name}
    )
    assert rendered.subject == "Hi Ana Bcc: eve@example.org!"
    assert rendered.sender == "Ana Bcc: eve@example.org <s@example.org>"


@pytest.mark.parametrize(
    ("source", "params", "words"),
    [
        ("{{ nmae }}", {"name": "ana@example.org"}, "text: 'nmae' is undefined"),
        ("{{ user.email }}", {"user": {"name": "ana@example.org"}}, "UndefinedError"),
        ("{{ table[name] }}", {"table": {}, "name": "ana@example.org"}, "UndefinedError"),
        ("{{ name + 1 }}", {"name": "ana@example.org"}, "TypeError"),
        ("{{ name.__class__.__mro__ }}", {"name": "ana@example.org"}, "SecurityError"),
        ("{{ items.append(name) }}", {"items": [], "name": "ana@example.org"}, "SecurityError"),
        ("{{ '%d' % name }}", {"name": "ana@example.org"}, "TypeError"),
    ],
)
def test_errors_while_rendering_hold_no_data(source: str, params: dict[str, object], words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Renderer(make_template("s", source)).render(params)
    assert words in str(caught.value)
    assert "ana" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_stored_template_with_a_syntax_error() -> None:
    with pytest.raises(TemplateError, match="text line 2"):
        Renderer(make_template("s", "one\n{{ x"))
