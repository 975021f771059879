"""Answers as pictures: Altair charts, rendered to PNG without a browser."""
