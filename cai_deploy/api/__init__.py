"""The client of the CML API v2: one seam for HTTP, one module for each kind of object.

It knows the workspace's words and its quirks, and must not know what a cluster is: whoever calls decides what to
create. Nothing is imported here, so that reaching for one module costs that module alone.
"""
