"""Pages of the documentation that are made from code: ``python -m tools.reference`` writes them anew.

A page says what the code says, so nobody has to keep the two alike; ``tests/unit/docs`` holds that the pages are
current. Each module makes one page, as text, and writes no file.
"""
