"""A model card in, everything that its page shows out. No file, no clock, no HTML but the charts' SVG."""
