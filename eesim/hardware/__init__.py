"""Boards: what they are made of, and the laws that give times, speeds and powers."""
