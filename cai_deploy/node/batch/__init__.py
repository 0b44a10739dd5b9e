"""A node that is a batch job: what it knows of its job, the ports that it takes, and when it goes by itself.

The agent, the head and the worker are the same as elsewhere; what stands here is what ends them, and what a client's
job runs besides.
"""
