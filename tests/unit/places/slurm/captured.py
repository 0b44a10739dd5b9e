"""What a real Slurm 22.05 said, with other paths and names of people; and the same in the shapes of newer versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "captured"

COUNTS = ("array_job_id", "array_task_id", "restart_cnt", "time_limit")
TIMES = ("submit_time", "start_time", "end_time")


def said(file: str) -> str:
    """What a command printed."""
    return (DIRECTORY / file).read_text(encoding="utf-8")


def queue(**changes: Any) -> dict[str, Any]:
    """What ``squeue --json`` printed."""
    return {**json.loads(said("squeue-22.05.json")), **changes}


def number(value: int | None) -> dict[str, Any]:
    """As newer versions write a number."""
    return {"set": value is not None, "infinite": False, "number": value or 0}


def as_in_23_02(job: dict[str, Any]) -> dict[str, Any]:
    """Numbers as objects but for times; the state is one word still."""
    return {**job, **{name: number(job[name]) for name in (*COUNTS, "exit_code")}}


def as_in_24_05(job: dict[str, Any]) -> dict[str, Any]:
    """All numbers as objects, states as lists, an exit code as an object of its own."""
    raw, signal = job["exit_code"], job["exit_code"] & 0x7F
    return {
        **job,
        **{name: number(job[name]) for name in (*COUNTS, *TIMES)},
        "job_state": [job["job_state"]],
        "exit_code": {
            "status": ["SIGNALED" if signal else "ERROR" if raw else "SUCCESS"],
            "return_code": number(None if signal else raw >> 8),
            "signal": {"id": number(signal or None), "name": "Terminated" if signal else ""},
        },
    }
