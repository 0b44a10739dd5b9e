"""What jobs do inside a project's directory: bring the clone to a commit, and build the environment of a cluster.

Standard library only, and no knowledge of the API: it runs in a runtime's bare Python, in a notebook kernel, on a
directory that other pods have mounted too.
"""
