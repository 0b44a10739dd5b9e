"""The nodes' HTTP ports: what is answered there, to whom, and what is passed on.

Requests and pages, and no more: what is told of the cluster comes from ``view``, what is done from beside this package.
"""
