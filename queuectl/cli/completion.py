"""`queuectl completion bash|zsh|fish`: a shell's completion of our commands and options, made from the parsers."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from queuectl.cli.context import Context
from queuectl.cli.parsers import describe

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    flags: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]
    file: bool


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: its options, and the words that its positional arguments may be."""

    name: str
    summary: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    files: bool
    """Some positional argument is a file."""


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Print a completion script for a shell. It completes commands, options and fixed words; it asks no server.
""", """
  queuectl completion bash > ~/.local/share/bash-completion/completions/queuectl
  queuectl completion zsh > ~/.zfunc/_queuectl                     with ~/.zfunc in fpath
  queuectl completion fish > ~/.config/fish/completions/queuectl.fish
""")  # fmt: skip
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    from queuectl.cli.main import all_commands

    verbs = [verb_of(name, summary, parser) for name, summary, parser in all_commands()]
    write = {"bash": bash, "zsh": zsh, "fish": fish}[context.args.shell]
    print(write(verbs), end="")
    return 0


def verb_of(name: str, summary: str, parser: argparse.ArgumentParser) -> Verb:
    """What can be typed after a command."""
    options, words, files = [], [], False
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if action.option_strings:
            options.append(_option(action))
        elif isinstance(action, argparse._SubParsersAction):
            words += list(action.choices)
        else:
            words += [str(choice) for choice in action.choices or ()]
            files = files or action.type is Path
    return Verb(name, summary, tuple(options), tuple(words), files)


def _option(action: argparse.Action) -> Option:
    help_text = " ".join((action.help or "").replace("%%", "%").split())
    choices = tuple(str(choice) for choice in action.choices or ())
    return Option(tuple(action.option_strings), help_text, action.nargs != 0, choices, action.type is Path)


def bash(verbs: Sequence[Verb]) -> str:
    """A function for `complete -F`."""
    cases = "\n".join(_bash_case(verb) for verb in verbs)
    names = " ".join(verb.name for verb in verbs)
    shared = " ".join(flag for option in _shared(verbs) for flag in option.flags)
    return f"""\
_queuectl() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case " {names} " in *" $word "*) verb="$word"; break ;; esac
    done
    COMPREPLY=()
    case "$verb" in
    "") COMPREPLY=($(compgen -W "{names} {shared} --version" -- "$current")) ;;
{cases}
    esac
}}
complete -F _queuectl queuectl
"""


def _bash_case(verb: Verb) -> str:
    lines = [
        f'        {"|".join(option.flags)}) COMPREPLY=($(compgen {_bash_values(option)} -- "$current")); return ;;'
        for option in verb.options
        if option.takes_value
    ]
    known = [*verb.words, *(flag for option in verb.options for flag in option.flags)]
    files = ' $(compgen -f -- "$current")' if verb.files else ""
    values = "\n".join(lines)
    return f"""\
    {verb.name})
        case "$before" in
{values}
        esac
        COMPREPLY=($(compgen -W "{" ".join(known)}" -- "$current"){files}) ;;"""


def _bash_values(option: Option) -> str:
    return "-f" if option.file else f'-W "{" ".join(option.choices)}"'


def zsh(verbs: Sequence[Verb]) -> str:
    """A function for fpath, with descriptions."""
    names = "\n".join(f"        {shlex.quote(f'{verb.name}:{_zsh_text(verb.summary)}')}" for verb in verbs)
    cases = "\n".join(_zsh_case(verb) for verb in verbs)
    return f"""\
#compdef queuectl
_queuectl() {{
    local -a verbs
    verbs=(
{names}
    )
    local verb="" word
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        if (( ${{verbs[(I)$word:*]}} )); then verb="$word"; break; fi
    done
    case "$verb" in
    "") _describe command verbs ;;
{cases}
    esac
}}
if [[ "${{funcstack[1]}}" == _queuectl ]]; then
    _queuectl "$@"
else
    compdef _queuectl queuectl
fi
"""


def _zsh_case(verb: Verb) -> str:
    specs = [spec for option in verb.options for spec in _zsh_option(option)]
    words = f"({' '.join(verb.words)})" if verb.words else ""
    specs.append(f"*:argument:{'_files' if verb.files else words}")
    quoted = " \\\n            ".join(map(shlex.quote, specs))
    return f"    {verb.name})\n        _arguments \\\n            {quoted} ;;"


def _zsh_option(option: Option) -> Iterator[str]:
    value = ""
    if option.takes_value:
        what = "_files" if option.file else f"({' '.join(option.choices)})" if option.choices else ""
        value = f":value:{what}"
    for flag in option.flags:
        yield f"{flag}[{_zsh_text(option.help)}]{value}"


def _zsh_text(text: str) -> str:
    return text.replace("\\", "").replace("[", "(").replace("]", ")").replace(":", " ")


def fish(verbs: Sequence[Verb]) -> str:
    """Lines of `complete`, with descriptions."""
    names = " ".join(verb.name for verb in verbs)
    lines = ["complete -c queuectl -f"]
    for verb in verbs:
        lines.append(f"complete -c queuectl -n 'not __fish_seen_subcommand_from {names}' -a {verb.name} "
                     f"-d {_fish_text(verb.summary)}")  # fmt: skip
        lines += _fish_verb(verb)
    return "\n".join(lines) + "\n"


def _fish_verb(verb: Verb) -> Iterator[str]:
    start = f"complete -c queuectl -n '__fish_seen_subcommand_from {verb.name}'"
    if verb.words:
        yield f"{start} -a {_fish_text(' '.join(verb.words))}"
    if verb.files:
        yield f"{start} -F"
    for option in verb.options:
        flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
        yield f"{start} {flags}{_fish_value(option)} -d {_fish_text(option.help)}"


def _fish_value(option: Option) -> str:
    if not option.takes_value:
        return ""
    if option.file:
        return " -r -F"
    return f" -x -a {_fish_text(' '.join(option.choices))}" if option.choices else " -x"


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _shared(verbs: Sequence[Verb]) -> Iterator[Option]:
    """Options that every command takes: they may stand before it too."""
    for option in verbs[0].options:
        if all(option in verb.options for verb in verbs):
            yield option
