"""Ports on this machine that lead to a cluster's head, where nothing but its HTTPS address is open.

Knows an Access, no place. Two of them: Ray Client's, whose clients show the cluster's token themselves, and the
dashboard's, to which all that opens the cluster is added here, so that it serves this user's programs alone.
"""
