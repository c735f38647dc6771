"""Renders reports and model cards as self-contained HTML pages."""
