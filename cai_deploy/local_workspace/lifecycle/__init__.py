"""How projects, job runs and applications live: each one's states, and the real work behind each state.

One background task leads each living thing from where its record says it is to rest. It decides from the record
alone, so a server that crashed goes on where it stopped.
"""
