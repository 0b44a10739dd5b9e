"""The agent that runs inside a node: finds the head, runs Ray, serves the node's port, ends cleanly.

It knows one node and the connection file, and nothing of the deployer or of any API: it works the same wherever a
process can run. Standard library alone, but for the head's gateway, which uses the aiohttp that Ray brings.
"""
