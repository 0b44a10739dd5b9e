"""Notebook semantics, in the engine alone and in IPython where this machine has it. Sections: cml-behaviour."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from cai_deploy.local_workspace import engine, runtimes

INTERPRETER = str(runtimes.own_interpreter())
HAS_IPYTHON = subprocess.run([INTERPRETER, "-c", "import IPython"], capture_output=True, check=False).returncode == 0
KERNELS = [
    "engine",
    pytest.param("ipython", marks=pytest.mark.skipif(not HAS_IPYTHON, reason="the runtime has no IPython")),
]
FINE = [
    "assert '__file__' not in globals()",
    "import sys; assert sys.argv[1] == '-f' and open(sys.argv[2])",
    "import asyncio; asyncio.get_running_loop()",
    "import asyncio\nasync def f(): return 5\nassert await f() == 5\nawait asyncio.sleep(0)",
    "import sys; assert sys.modules['__main__'].__dict__ is globals()",
    "import pickle\nclass A: pass\nassert type(pickle.loads(pickle.dumps(A()))) is A",
    "import threading, asyncio\n"
    "async def f(): pass\nt = threading.Thread(target=lambda: asyncio.run(f())); t.start(); t.join()",
    "import subprocess, sys\n"
    "subprocess.run([sys.executable, '-c', 'import asyncio; asyncio.run(asyncio.sleep(0))'], check=True)",
    "import multiprocessing, os\nif os.fork() == 0: os._exit(0)",
]
FAILS = {
    "import sys; sys.exit(0)": "SystemExit",
    "raise SystemExit": "SystemExit",
    "print(__file__)": "__file__",
    "import asyncio\nasync def f(): pass\nasyncio.run(f())": "cannot be called from a running event loop",
    "from asyncio import run, sleep\nrun(sleep(0))": "cannot be called from a running event loop",
    "import asyncio\nawait asyncio.sleep(0)\n1/0": "ZeroDivisionError",
    "1/": "SyntaxError",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
}


def ran(tmp_path: Path, script: str, kernel: str) -> tuple[int, str]:
    (tmp_path / "x.py").write_text(script)
    command = [INTERPRETER, "-u", engine.__file__, "x.py", kernel]
    environment = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp"), "PATH": "/usr/bin:/bin"}
    (tmp_path / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("script", FINE)
def test_what_a_script_finds_in_a_kernel(tmp_path: Path, script: str, kernel: str) -> None:
    """cml-behaviour 8, 11.12."""
    assert ran(tmp_path, script, kernel)[0] == 0, ran(tmp_path, script, kernel)[1]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["tmp", "x.py"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("script", FAILS)
def test_what_fails_in_a_kernel(tmp_path: Path, script: str, kernel: str) -> None:
    """cml-behaviour 8: any sys.exit, even 0, is a failed run; asyncio.run meets a running loop."""
    code, told = ran(tmp_path, script, kernel)
    assert code == 1
    assert FAILS[script] in told


def test_a_traceback_shows_the_script_alone(tmp_path: Path) -> None:
    assert "engine.py" not in ran(tmp_path, "def f(): 1/0\nf()", "engine")[1]


def test_auto_takes_ipython_only_where_there_is_one(tmp_path: Path) -> None:
    script = "import sys; print('IPython' in sys.modules)"
    assert ran(tmp_path, script, "auto")[1].split() == [str(HAS_IPYTHON)]
    assert ran(tmp_path, script, "engine")[1].split() == ["False"]


def test_a_script_without_asyncio_does_not_wait_for_it(tmp_path: Path) -> None:
    assert ran(tmp_path, "import sys; assert 'asyncio' not in sys.modules", "engine")[0] == 0


def test_the_engine_costs_little(tmp_path: Path) -> None:
    """An application's start is on the critical path of a cluster's start."""
    (tmp_path / "x.py").write_text("pass")

    def seconds(*command: str) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run([INTERPRETER, *command], cwd=tmp_path, check=True)
            times.append(time.perf_counter() - began)
        return min(times)

    assert seconds(engine.__file__, "x.py", "engine") - seconds("x.py") < 0.05
