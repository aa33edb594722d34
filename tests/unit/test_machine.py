"""What the machine refuses is said in words, before or instead of a traceback."""

from __future__ import annotations

import errno
import resource

import pytest
from dagster import Failure

from orchestration.failures import as_dagster_failure
from orchestration.machine import MachineError, refusal_of, require_memory


def test_too_little_memory_is_refused_before_anything_can_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    require_memory()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_500_000 * 1024, resource.RLIM_INFINITY))
    with pytest.raises(MachineError, match=r"may map 1\.4 GB(?s:.)*ulimit -v"):
        require_memory()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "not yours to write")],
)
def test_a_file_that_cannot_be_written_is_named(number: int, words: str) -> None:
    refused = refusal_of(OSError(number, "no", "warehouse/x"))
    assert refused is not None
    assert words in refused.what
    assert refused.where == "warehouse/x"


def test_what_nobody_can_mend_stays_a_mistake_of_ours() -> None:
    assert refusal_of(OSError(errno.EBADF, "no")) is None


def test_a_full_disk_is_told_in_words_in_a_step_of_dagster_as_well() -> None:
    with pytest.raises(Failure, match="the disk is full") as raised, as_dagster_failure():
        raise OSError(errno.ENOSPC, "no", "published/x")
    assert "published/x" in str(raised.value.description)
    with pytest.raises(OSError, match="no"), as_dagster_failure():
        raise OSError(errno.EBADF, "no")
