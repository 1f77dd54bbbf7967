"""The themes of an app, and the operator's theme files, whose changes are noticed."""

from __future__ import annotations

from pathlib import Path

from textual.app import App

from queuectl.console.theme import DEFAULT_THEME, load_themes


class ThemeFiles:
    """The `*.toml` files of a folder, which need not exist; None: there is no such folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen = self._state()

    def changed(self) -> bool:
        """Whether a file came, went or was written since the last call."""
        before, self._seen = self._seen, self._state()
        return before != self._seen

    def _state(self) -> frozenset[tuple[str, int, int]]:
        found = set()
        try:
            for path in self._folder.glob("*.toml") if self._folder else ():
                about = path.stat()
                found.add((path.name, about.st_mtime_ns, about.st_size))
        except OSError:
            return frozenset(found)
        return frozenset(found)


class Themes:
    """The themes of one app: shipped ones and the operator's, which are read again when their files change."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files = ThemeFiles(folder)
        self.by_name, self.problems = load_themes(folder)

    def put_on(self, app: App[None], wanted: str) -> list[str]:
        """Give the app these themes and no others, and the wanted one to begin with; what is wrong, a line each."""
        self._register(app)
        known = wanted in self.by_name
        app.theme = wanted if known else DEFAULT_THEME
        missing = [] if known else [f"theme {wanted!r} does not exist; there are: {', '.join(self.by_name)}"]
        return [*self.problems, *missing]

    def read_again(self, app: App[None]) -> tuple[str, ...] | None:
        """Take in files that changed; a file that is wrong now leaves its theme as it was. None: nothing changed."""
        if not self._files.changed():
            return None
        themes, self.problems = load_themes(self._folder)
        self.by_name = {**self.by_name, **themes} if self.problems else themes
        if app.theme not in self.by_name:
            app.theme = DEFAULT_THEME
        self._register(app)
        app.mutate_reactive(App.theme)
        return self.problems

    def _register(self, app: App[None]) -> None:
        for name in set(app.available_themes) - set(self.by_name):
            app.unregister_theme(name)
        for theme in self.by_name.values():
            app.register_theme(theme)
