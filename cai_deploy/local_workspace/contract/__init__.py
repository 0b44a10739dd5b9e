"""The API v2 as a document: what the workspace tells of itself, and the Python client that it hands out.

``cml-api-v2.yaml`` states the contract; everything in here is made from it, at first need and never at server start.
It must not know how the workspace fulfils the contract: no records, no routes but its own four pages.
"""
