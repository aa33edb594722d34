"""What the machine refuses, in words: memory to begin with, a disk that is full, a folder that cannot be written."""

from __future__ import annotations

import errno
import resource

from turnout.errors import TurnoutError

# With 1.5 GB a run stood still for ever: native threads waited for others that had got no memory.
ADDRESS_SPACE = 4 * 2**30

_REFUSED = {
    errno.ENOSPC: ("the disk is full", "make room, and run this again; what was finished is kept."),
    errno.EDQUOT: ("your share of the disk is full", "make room, and run this again; what was finished is kept."),
    errno.EFBIG: ("a file may not grow further", "raise the limit ('ulimit -f'), and run this again."),
    errno.EROFS: ("the file system is read-only", "run it from a checkout that can be written."),
    errno.EACCES: ("it is not yours to write", "run it as its owner, or from a checkout of your own."),
    errno.EPERM: ("it is not yours to change", "run it as its owner, or from a checkout of your own."),
    errno.ENOMEM: ("there is no memory left", "close other programs, or raise the limit ('ulimit -v')."),
}


class MachineError(TurnoutError):
    """The machine does not give what is needed."""


def require_memory() -> None:
    """Refuse to begin where a process may not map enough memory, as it would stand still instead of stopping.

    Raises
    ------
    MachineError
        With the limit.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise MachineError(
            f"A process may map {limit / 2**30:.1f} GB of memory here, which is too little for a run.",
            where="the limit of the shell or service that starts this, 'ulimit -v'",
            rule=f"a run needs {ADDRESS_SPACE / 2**30:.0f} GB of address space, of which it uses a part.",
            remedy="raise the limit, for example with 'ulimit -v unlimited'.",
        )


def refusal_of(error: OSError) -> MachineError | None:
    """Return in words what the system refused; None if it is nothing that a person can mend."""
    known = _REFUSED.get(error.errno or 0)
    if known is None:
        return None
    what, remedy = known
    return MachineError(
        f"A file cannot be written: {what}.",
        where=str(error.filename or "the checkout's 'landing', 'warehouse', 'published' or 'dbt_project/target'"),
        rule="the state of a project stands in its checkout.",
        remedy=remedy,
    )
