"""Alembic's folder: env.py runs the numbered migrations of versions/, forward only. To go back, restore a backup."""
