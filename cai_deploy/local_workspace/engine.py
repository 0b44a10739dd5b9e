"""Runs a script as a workspace's notebook kernel does, by the bare interpreter of a runtime.

Scripts there see no ``__file__``, find ``-f <connection file>`` in sys.argv, run while an event loop does (so that
``asyncio.run`` fails and a bare ``await`` works), and must end by falling off their end: any SystemExit, even 0, is a
failed run. Where the runtime has IPython, its shell runs the script; otherwise this file does what the shell would.
Run by path, standard library only; it must not import the package.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import types
from _ast import PyCF_ALLOW_TOP_LEVEL_AWAIT

TYPE_CHECKING = False  # importing typing costs time
if TYPE_CHECKING:
    from typing import Any

_CO_COROUTINE = 0x80


def main() -> int:
    """Run ``sys.argv[1]``, a path below the current directory, in the kernel ``sys.argv[2]``: auto, engine, ipython."""
    script, kernel = sys.argv[1:3]
    sys.path[0] = os.getcwd()  # noqa: PTH109 - the shortest start counts here
    descriptor, connection_file = tempfile.mkstemp(prefix="kernel-", suffix=".json")
    os.write(descriptor, b"{}")
    os.close(descriptor)
    sys.argv = ["ipykernel_launcher.py", "-f", connection_file]
    # A module of its own, so that pickle and friends find the script's names in __main__, and none of these.
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    if kernel != "engine":
        try:
            return _run_in_ipython(script, module)
        except ModuleNotFoundError as error:
            if error.name != "IPython":
                raise
            if kernel == "ipython":
                print("this runtime has no IPython", file=sys.stderr)
                return 1
    return _run(script, module)


def _run(script: str, module: types.ModuleType) -> int:
    try:
        with open(script, "rb") as file:  # noqa: PTH123
            code = compile(file.read(), script, "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & _CO_COROUTINE:
            import asyncio

            asyncio.new_event_loop().run_until_complete(eval(code, module.__dict__))  # noqa: S307
        else:
            _bring_a_loop_with_asyncio()
            exec(code, module.__dict__)  # noqa: S102 - this is what a kernel is for
    except SystemExit as end:
        print(f"An exception has occurred, use %tb to see the full traceback.\nSystemExit: {end.code}", file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - whatever it was, it is the run's failure
        kind, error, trace = sys.exc_info()
        while trace and trace.tb_frame.f_code.co_filename != script:
            trace = trace.tb_next
        traceback.print_exception(kind, error, trace)
        return 1
    return 0


def _bring_a_loop_with_asyncio() -> None:
    """Asyncio is imported with a loop that counts as running in this thread.

    Not before: a script that has no use for asyncio must not wait for its import.
    """
    sys.meta_path.insert(0, _Loop)  # type: ignore[arg-type] # a class with the one method that is called


class _Loop:
    """Finds asyncio where it always is, and follows its import up."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> object:
        if name != "asyncio":
            return None
        sys.meta_path.remove(cls)  # type: ignore[arg-type]
        finders: list[Any] = list(sys.meta_path)
        found = (finder.find_spec(name, path, target) for finder in finders)
        spec = next(spec for spec in found if spec)
        execute = spec.loader.exec_module

        def execute_and_begin(module: Any) -> None:
            execute(module)
            import threading

            if threading.current_thread() is threading.main_thread():
                module._set_running_loop(module.new_event_loop())

        spec.loader.exec_module = execute_and_begin
        return spec


def _run_in_ipython(script: str, module: types.ModuleType) -> int:
    os.environ.setdefault("IPYTHONDIR", tempfile.mkdtemp(prefix="ipython-"))  # or it would be left in the project
    import asyncio

    from IPython.core.interactiveshell import InteractiveShell  # type: ignore[import-not-found]

    shell = InteractiveShell.instance(user_module=module, user_ns=module.__dict__)
    shell.colors = "NoColor"
    shell.history_manager.enabled = False
    with open(script, encoding="utf-8") as file:  # noqa: PTH123
        source = file.read()
    # As in ipykernel: a cell is run from within the kernel's loop.
    running = shell.run_cell_async(source, transformed_cell=shell.transform_cell(source))
    return 0 if asyncio.new_event_loop().run_until_complete(running).success else 1


if __name__ == "__main__":
    sys.exit(main())
