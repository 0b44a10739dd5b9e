"""Cloudera AI as a place: one application per node, in one project of a workspace."""

from cai_deploy.places.cai.place import CaiPlace

__all__ = ["CaiPlace"]
