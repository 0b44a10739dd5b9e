"""The workspace in a browser, at ``/`` of its own port: what exists, what runs, what it writes, and its misfortunes.

Server-rendered pages; a few lines of JavaScript ask for the same page again and put in what has changed. ``door`` is
all that the server loads; the rest, templates included, waits for the first visitor. Nothing is shown without the
key, no value of an environment is shown at all.
"""
