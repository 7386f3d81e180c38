"""Answers and pictures of docs/gallery.md; ``benchmarks/gallery.py`` puts them there."""
