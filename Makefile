.PHONY: test bench lint

test:
	.venv/bin/python -m pytest -n 2

bench:
	.venv/bin/python -m pytest tests/benchmarks --benchmark --benchmark-report benchmark-report

lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
