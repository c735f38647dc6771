"""Chooses patients of each band, and writes them as files to try the bedside door with."""
