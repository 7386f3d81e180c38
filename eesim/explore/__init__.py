"""Design-space exploration: the best mapping, with the proof or the gap."""
