"""Submission: what a person has here becomes a job of a cluster that runs, and is followed to its end.

It knows a cluster by an Access alone, so it must not know any place.
"""
