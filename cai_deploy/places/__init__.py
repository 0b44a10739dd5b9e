"""Where clusters can live: the contract in ``base.py``, and one package a place."""
