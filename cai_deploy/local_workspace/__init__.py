"""A workspace that comes along: it speaks the CML API v2 on loopback and really runs what it is told to.

The deployer talks to it as to any other workspace, over HTTP. So nothing in here may import the deployer (api,
places, plan, reconcile, spec, config, render, cli), and of all of this only ``process`` may be imported by the
command line: with a shared schema both sides could be wrong together.
"""
