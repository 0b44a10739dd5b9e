"""``python -m cai_deploy``: hands over to the command line."""

from __future__ import annotations


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from cai_deploy.cli import run

    run()


if __name__ == "__main__":
    main()
