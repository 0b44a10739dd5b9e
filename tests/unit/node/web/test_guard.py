"""Who is let in at the head's HTTP port, and which headers go on to Ray."""

from __future__ import annotations

import pytest

from cai_deploy.node.web.guard import Guard

TOKEN = "a1b2"


@pytest.mark.parametrize(
    ("headers", "cookies", "admitted"),
    [
        ({}, {}, False),
        ({"X-Ray-Authorization": "Bearer a1b2"}, {}, True),
        ({"X-Ray-Authorization": "bearer a1b2 "}, {}, True),
        ({"X-Ray-Authorization": "a1b2"}, {}, False),
        ({"X-Ray-Authorization": "Bearer "}, {}, False),
        ({"X-Ray-Authorization": "Bearer a1b"}, {}, False),
        ({"X-Ray-Authorization": "Bearer \udce4"}, {}, False),
        ({"Authorization": "Bearer a1b2"}, {}, True),
        ({"Authorization": "Bearer platform", "X-Ray-Authorization": "Bearer a1b2"}, {}, True),
        ({"Authorization": "Bearer platform"}, {"ray-authentication-token": "a1b2"}, True),
        ({}, {"ray-authentication-token": "A1B2"}, False),
        ({}, {"other": "a1b2"}, False),
    ],
)
def test_the_token_opens_and_nothing_else(headers: dict[str, str], cookies: dict[str, str], admitted: bool) -> None:
    assert Guard(TOKEN).admits(headers, cookies) is admitted
    assert Guard("").admits(headers, cookies)


def test_an_authorization_that_is_not_for_ray_stays_here() -> None:
    guard = Guard(TOKEN)
    assert not guard.passes("authorization", "Bearer platform")
    assert guard.passes("Authorization", "Bearer a1b2")
    assert guard.passes("X-Ray-Authorization", "Bearer whatever")
    assert guard.passes("Accept", "*/*")
    assert Guard("").passes("Authorization", "Bearer platform")
