"""The model store: versions, what was decided about them, and loading a version to score with."""
