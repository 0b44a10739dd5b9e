"""Docker Compose as a place: nodes are containers of one host, a service for the head and one for each group."""
