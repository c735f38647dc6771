"""Alembic's folder: env.py runs the numbered migrations in versions/, forward only. To go back, restore a backup."""
