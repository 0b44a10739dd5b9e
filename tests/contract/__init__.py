"""Clients that nobody here wrote, and the contract itself, against a running workspace."""
