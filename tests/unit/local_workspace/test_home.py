"""Where a home keeps what, whatever the length of its own path."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cai_deploy.local_workspace.home import KUBELETS, Home


@pytest.mark.parametrize("length", range(70, 110))
def test_the_directory_of_every_socket_is_made_and_its_path_is_short_enough(tmp_path: Path, length: int) -> None:
    home = Home(tmp_path / ("x" * max(1, length - len(str(tmp_path)))))
    try:
        home.make()
        for kubelet in KUBELETS:
            assert home.socket(kubelet).parent.is_dir()
            assert len(os.fsencode(home.socket(kubelet))) <= 100
    finally:
        home.tidy()
        shutil.rmtree(home.root)
    assert not home.sockets.exists()
