"""Misfortunes on demand: what a workspace does to its clients on a bad day, by rule, so that a test can ask for it.

``rules`` says what can go wrong and when, ``matching`` decides (both pure), ``ledger`` counts, ``middleware`` spoils
answers, ``pods`` spoils pods, ``routes`` is the admin endpoint. The life-cycles know one thing of all this: they ask
``workspace.faults`` whether they are held up. Rules live in memory: a workspace that is started anew is a good one.
"""
