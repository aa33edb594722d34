"""Where Superset's state stands, what is secret in it, and what it was set up from."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

# Who may log in, and with which of Superset's roles. `Reader` is our own; see setting_up.py.
ROLES = {"reader": "Reader", "admin": "Admin"}


@dataclass(frozen=True)
class State:
    """What `warehouse/superset/` holds; all of it can be removed, and is then made anew.

    Parameters
    ----------
    root : Path
        The folder that holds `bi/` and `published/`.
    """

    root: Path

    @property
    def published(self) -> Path:
        """The file that is shown."""
        return self.root / "published" / "turnout.duckdb"

    @property
    def assets(self) -> Path:
        """Datasets, charts and dashboards, as Superset exports them."""
        return self.root / "bi" / "assets"

    @property
    def folder(self) -> Path:
        """Superset's home."""
        return self.root / "warehouse" / "superset"

    @property
    def metadata(self) -> Path:
        """Superset's own SQLite database."""
        return self.folder / "superset.db"

    @property
    def credentials(self) -> Path:
        """The accounts, one a line: name and password. Without it, new passwords are made."""
        return self.folder / "credentials"

    @property
    def set_up_from(self) -> Path:
        """What the database was last set up from; written last, so that a killed set-up is done anew."""
        return self.folder / "set_up_from"

    @cached_property
    def secret_key(self) -> str:
        """The key that signs sessions; made once, readable by its owner only."""
        return self._kept("secret_key", secrets.token_urlsafe(48))

    @cached_property
    def passwords(self) -> dict[str, str]:
        """The password of each account; made once, readable by its owner only."""
        made = "".join(f"{name} {secrets.token_urlsafe(12)}\n" for name in ROLES)
        return dict(line.split() for line in self._kept(self.credentials.name, made).splitlines())

    @property
    def source(self) -> str:
        """A hash of all that the set-up reads: the dashboards, this package, Superset's version, the passwords."""
        digest = hashlib.sha256(f"{version('apache-superset')} {self.passwords}".encode())
        for path in sorted([*(self.root / "bi").glob("*.py"), *self.assets.rglob("*.yaml")]):
            digest.update(path.relative_to(self.root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    @property
    def is_set_up(self) -> bool:
        """Whether nothing has changed since the last set-up."""
        known = self.set_up_from.read_text() if self.set_up_from.exists() else None
        return self.metadata.exists() and known == self.source

    def make_folder(self) -> None:
        """Make the folder, which nobody else may look into."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def _kept(self, name: str, made: str) -> str:
        """Return what a file holds; what was `made` if there is none, which is then written."""
        path = self.folder / name
        if not path.exists():
            self.make_folder()
            new = path.with_name(f"{name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(made)
            new.replace(path)
        return path.read_text()


def this_state() -> State:
    """Return the state of the checkout that this package stands in."""
    return State(Path(__file__).resolve().parent.parent)
