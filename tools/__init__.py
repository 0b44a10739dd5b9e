"""What developers run, beside the package: nothing here is shipped, and the package knows nothing of it."""
