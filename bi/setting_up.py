"""Superset's database: its tables, its accounts, and the dashboards that stand in `assets/`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import yaml

from bi.state import ROLES
from turnout.errors import TurnoutError

if TYPE_CHECKING:
    from bi.state import State

# What a reader may do beyond what Superset lets anonymous visitors of a public dashboard do.
READER_MAY = {
    ("all_datasource_access", "all_datasource_access"),
    ("can_csv", "Superset"),
    ("can_drill", "Dashboard"),
    ("can_log", "Superset"),
    ("can_read", "SecurityRestApi"),  # the token against forged requests, for those who ask over REST
    ("can_recent_activity", "Log"),
    ("can_share_dashboard", "Superset"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("menu_access", "Dashboards"),
}


class AssetsError(TurnoutError):
    """The dashboards' YAML cannot be imported."""


def set_up(state: State) -> None:
    """Bring Superset's database up to date with its version and with `bi/assets`.

    All is done on a copy, which then takes the place of the database: a mistake in the YAML, or a kill, leaves what
    was there.

    Raises
    ------
    AssetsError
        If the YAML cannot be imported.
    """
    state.make_folder()
    copy = state.metadata.with_name("superset.db.new")
    copy.unlink(missing_ok=True)
    if state.metadata.exists():
        with closing(sqlite3.connect(state.metadata)) as present, closing(sqlite3.connect(copy)) as new:
            present.backup(new)
    copy.touch()
    copy.chmod(0o600)
    source = state.source
    os.environ["TURNOUT_SUPERSET_METADATA"] = str(copy)
    _fill(state)
    copy.replace(state.metadata)
    state.set_up_from.write_text(source)


def contents_of(state: State) -> dict[str, str]:
    """Return the text of every file of `assets/` by its path, each marked as kept outside of Superset.

    So marked, nothing of it can be changed in Superset, where the next set-up would undo it.
    """
    contents = {}
    for path in sorted(state.assets.rglob("*.yaml")):
        name = path.relative_to(state.assets).as_posix()
        text = path.read_text()
        if "/" in name:
            text = yaml.safe_dump({**yaml.safe_load(text), "is_managed_externally": True}, sort_keys=False)
        contents[name] = text
    return contents


def _fill(state: State) -> None:
    from superset.app import create_app

    application = create_app()
    with application.app_context():
        from flask import g
        from flask_migrate import upgrade
        from superset import appbuilder, db, security_manager

        upgrade(directory=os.path.join(application.root_path, "migrations"))  # noqa: PTH118 - as Superset names it
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        _make_accounts(state)
        db.session.commit()
        g.user = security_manager.find_user(username="admin")
        _import(state)


def _make_accounts(state: State) -> None:
    from superset import security_manager

    may = security_manager.PUBLIC_ROLE_PERMISSIONS | READER_MAY
    security_manager.set_role(
        ROLES["reader"],
        lambda allowed: (allowed.permission.name, allowed.view_menu.name) in may,
        security_manager._get_all_pvms(),
    )
    for name, role in ROLES.items():
        password = state.passwords[name]
        user = security_manager.find_user(username=name)
        if user is None:
            security_manager.add_user(
                name, name.capitalize(), "", f"{name}@localhost", security_manager.find_role(role), password=password
            )
        else:
            security_manager.reset_password(user.id, password)


def _import(state: State) -> None:
    from superset.commands.exceptions import CommandException
    from superset.commands.importers.v1.assets import ImportAssetsCommand

    contents = contents_of(state)
    try:
        ImportAssetsCommand(contents).run()
    except (CommandException, yaml.YAMLError) as error:
        raise AssetsError(
            f"Superset cannot import the dashboards: {_reason(error)}",
            where=str(state.assets),
            rule="the files there have the layout of Superset's own export.",
            remedy="correct the file that is named; Superset shows the old dashboards until then.",
        ) from error
    _remove_what_is_gone(contents)


def _reason(error: BaseException) -> str:
    """Return what is wrong in which file; Superset wraps that in an error that says nothing."""
    while error.__cause__ or error.__context__:
        if messages := getattr(error, "normalized_messages", dict)():
            return str(messages)
        error = error.__cause__ or error.__context__ or error
    return str(getattr(error, "normalized_messages", dict)() or error)


def _remove_what_is_gone(contents: dict[str, str]) -> None:
    """Remove dashboards, charts and datasets that came from `assets/` and stand there no more."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    present = {str(yaml.safe_load(text).get("uuid")) for text in contents.values()}
    for kind in (Dashboard, Slice, SqlaTable):
        for found in db.session.query(kind).filter_by(is_managed_externally=True):
            if str(found.uuid) not in present:
                db.session.delete(found)
    db.session.commit()
