"""What Ray's own services find as their home, and what leads back to the person's."""

from __future__ import annotations

from pathlib import Path

import pytest

from cai_deploy.node import home


def test_a_home_of_their_own_leads_to_rays_settings(tmp_path: Path) -> None:
    given = home.separate_home(tmp_path, "/home/me")
    assert given == {"HOME": str(tmp_path / "home"), home.REAL_HOME: "/home/me"}
    assert (tmp_path / "home/ray_bootstrap_config.yaml").is_file()
    assert (tmp_path / "home/.ray").readlink() == Path("/home/me/.ray")


@pytest.mark.parametrize(
    ("inherited", "own"),
    [
        ({"PYTHONPATH": "/ours:/mine", home.REAL_PATH: "/mine"}, {"PYTHONPATH": "/mine"}),
        ({"PYTHONPATH": "/ours", home.REAL_PATH: ""}, {"PYTHONPATH": ""}),
        ({"PYTHONPATH": "/mine"}, {}),
    ],
)
def test_tasks_start_without_our_program(inherited: dict[str, str], own: dict[str, str]) -> None:
    assert home.own_import_path(inherited) == own
