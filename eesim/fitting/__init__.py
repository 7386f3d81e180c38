"""Models of a stream fitted to what was seen: which exits frames took, how hard images are for several networks."""
