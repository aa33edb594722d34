"""Why a file was not accepted, in words, and whether a person may accept it all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from turnout.advice import Action, Advice
from turnout.errors import LoadError

if TYPE_CHECKING:
    from turnout.loading.contract import SourceTable
    from turnout.records.loads import QuarantinedFile


class RefusalError(LoadError):
    """A file breaks its contract, or is not what we expect.

    Parameters
    ----------
    table : SourceTable
        The table that the file was for.
    found : str
        What is wrong with it, as the end of a sentence.
    where : str
        The file.
    remedy : str
        What to do next.
    check : {"contract", "population"}
        What it failed: whether the file can be read as declared, or whether it is the population we expect.
    may_be_accepted : bool
        Whether a person may accept it as it is. Not, for example, where a column is missing.
    """

    def __init__(
        self,
        table: SourceTable,
        found: str,
        where: str,
        remedy: str,
        *,
        check: Literal["contract", "population"] = "contract",
        may_be_accepted: bool = False,
    ) -> None:
        self.check, self.may_be_accepted = check, may_be_accepted
        super().__init__(
            f"{table.label} cannot be loaded: {found.rstrip('.')}.",
            where=where,
            rule=f"a file that enters keeps the contract of its table in {table.file}; refused, it changes nothing.",
            remedy=remedy,
        )


def why(table: SourceTable, file: QuarantinedFile) -> LoadError:
    """Return the error that says why a file is in quarantine, and what can be done about it."""
    accept = Action("accept", f"accept {file.load_id} with a reason", {"load": file.load_id})
    return LoadError(
        file.problem,
        where=f"{file.file_name} in landing/{table.folder}, in quarantine as {file.load_id}",
        rule=f"a file that enters keeps the contract of its table in {table.file}. Until this is settled nothing "
        "downstream is made, and raw shows what it showed before.",
        remedy=Advice(
            f"{file.remedy} Without the file in landing, the next run goes on without it.",
            *((" To load it as it is: ", accept, ".") if file.may_be_accepted else ()),
        ),
    )
