"""What if? Comparisons under common random numbers, sensitivity to every input, candidates on plausible boards."""
