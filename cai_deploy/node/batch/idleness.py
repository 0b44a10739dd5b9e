"""Whether a cluster that nobody uses is to end by now. Pure: what is known of it, and the time, come from outside.

What is not known is use. The part of the day keeps a cluster there while people may come back to it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from cai_deploy import daily_window
from cai_deploy.daily_window import DailyWindow
from cai_deploy.errors import ConfigError

NIGHT = "02:30-09:00"


@dataclass(frozen=True)
class Idleness:
    """After how long without use a cluster ends, and in which part of the day."""

    after: timedelta
    window: DailyWindow

    def why_end(self, activity: Mapping[str, Any], clients: Collection[str], now: time) -> str:
        """Why it is to end, "" for not. ``activity`` is the head's own account; ``now`` is where people see it."""
        since, told_at = activity.get("idle_since"), activity.get("now")
        if clients or activity.get("busy") != [] or not since or not told_at or not self.window.holds(now):
            return ""
        idle = datetime.fromisoformat(told_at) - datetime.fromisoformat(since)
        if idle < self.after:
            return ""
        return f"nobody has used it for {idle.total_seconds() / 60:.0f} minutes, and it is within {self.window}"


def parse(text: str) -> Idleness | None:
    """What ``{"after": minutes, "window": "02:30-09:00"}`` asks for, None for no text. Raises ConfigError."""
    if not text:
        return None
    try:
        asked = json.loads(text)
        window = daily_window.parse(asked.get("window") or NIGHT)
        return Idleness(timedelta(minutes=float(asked["after"])), window)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigError(
            "when an idle cluster is to end is not readable", why=f"CAI_DEPLOY_IDLE is {text!r}: {error}"
        ) from error
