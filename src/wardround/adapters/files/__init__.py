"""Files that are whole or absent: run folders, locks, scratch space, and errors of the file system."""
