"""Waiting for something that may be overtaken: by a stop, by a restart, by a delete."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do ``work``, or drop it as soon as ``event`` is set; whether it was done."""
    if event.is_set():
        work.close()
        return False
    doing, noticing = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({doing, noticing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        noticing.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
    if doing.cancelled():
        return False
    doing.result()
    return True
