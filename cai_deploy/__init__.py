"""Ray clusters in Cloudera AI workspaces: planned, applied, and kept healthy.

This file imports nothing on purpose: node agents and CML jobs import parts of the package with a bare Python
that has none of the deployer's dependencies.
"""

__version__ = "0.1.0"
