"""A job as Ray shows it, and what its end means for whoever waits. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cai_deploy.redaction import without_credentials
from cai_deploy.shell import last_lines

SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
STOPPED = "STOPPED"
ENDS = frozenset({SUCCEEDED, FAILED, STOPPED})
"""Ray's words for jobs that have ended. Any other word is a job that goes on."""

STOPPED_EXIT = 143
"""As a shell reports a program that was ended by SIGTERM, which is what Ray sends to a job that is stopped."""

SIGNALLED = 128

SHOWN = 8
"""Lines of Ray's own message."""


@dataclass(frozen=True)
class Job:
    """One job. ``id`` is what it was submitted as, or Ray's own number of a driver that nobody submitted."""

    id: str
    status: str
    entrypoint: str = ""
    message: str = ""
    driver_exit_code: int | None = None
    started_ms: int = 0
    ended_ms: int = 0
    submitted: bool = True
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in ENDS

    @property
    def exit_code(self) -> int:
        """What a program that waits for the job ends with. Only for a job that has ended."""
        if not self.ended:
            raise ValueError(f"job {self.id} is {self.status}, which is no end")
        if self.status == SUCCEEDED:
            return 0
        if self.status == STOPPED:
            return STOPPED_EXIT
        code = self.driver_exit_code or 1  # a job that failed without its program failing did not succeed either
        return SIGNALLED - code if code < 0 else code

    @property
    def end_in_words(self) -> str:
        """The end, with its reason: of a program that failed its status, else the end of what Ray says."""
        if self.status != FAILED:
            return f"job {self.id} {self.status}"
        if self.driver_exit_code is not None:
            return f"job {self.id} FAILED: its program ended with {self.driver_exit_code}"
        reason = without_credentials(last_lines(self.message, SHOWN)) or "Ray gives no reason"
        return f"job {self.id} FAILED without a status of its program:\n{reason}"

    def document(self) -> dict[str, Any]:
        """The job as data. Its environment is left out, as variables may be secret."""
        return {
            "submission_id": self.id,
            "status": self.status,
            "entrypoint": self.entrypoint,
            "message": self.message,
            "driver_exit_code": self.driver_exit_code,
            "exit_code": self.exit_code if self.ended else None,
            "started_ms": self.started_ms or None,
            "ended_ms": self.ended_ms or None,
            "metadata": self.metadata,
        }


def last_line(text: str) -> str:
    """The last line that says something, which is where the reason stands."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
