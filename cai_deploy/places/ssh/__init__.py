"""Plain hosts that are reached over SSH: nodes are processes that outlive the connection, each host has its own files.

Nothing is shared between hosts, so what a node needs is put on its host; what a cluster is to be stands on that of its
head.
"""
