"""Slurm as a place: one batch job per node, known again by the mark in its comment."""

from cai_deploy.places.slurm.place import SlurmPlace

__all__ = ["SlurmPlace"]
