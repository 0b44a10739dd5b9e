"""What the head sees of its cluster: the nodes, their history, their work, their figures.

Questions to the GCS and to the nodes' metrics, made into plain facts. It does not know who asks, and changes nothing.
"""
