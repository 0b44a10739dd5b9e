"""Runs a script as a workspace's notebook kernel does, by the bare interpreter of a runtime.

Scripts there see no ``__file__``, find ``-f <connection file>`` in sys.argv, and must end by falling off their end:
any SystemExit, even 0, is a failed run. Run by path, standard library only; it must not import the package.
"""

import os
import sys
import tempfile
import traceback
import types


def main() -> int:
    """Run ``sys.argv[1]``, a path below the current directory."""
    script = sys.argv[1]
    root = os.getcwd()  # noqa: PTH109 - the shortest start counts here
    descriptor, connection_file = tempfile.mkstemp(prefix="kernel-", suffix=".json")
    os.write(descriptor, b"{}")
    os.close(descriptor)
    sys.argv = ["ipykernel_launcher.py", "-f", connection_file]
    sys.path[0] = root
    # A module of its own, so that pickle and friends find the script's names in __main__, and none of these.
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        with open(script, "rb") as file:  # noqa: PTH123
            code = compile(file.read(), script, "exec")
        exec(code, module.__dict__)  # noqa: S102 - this is what a kernel is for
    except SystemExit as end:
        print(f"An exception has occurred, use %tb to see the full traceback.\nSystemExit: {end.code}", file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - whatever it was, it is the run's failure
        kind, error, trace = sys.exc_info()
        traceback.print_exception(kind, error, trace.tb_next if trace else None)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
