"""Widgets that paint lines of toned text and redraw only the lines that changed."""
