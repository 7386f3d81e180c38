"""What a result looks like: on the terminal, as figures, as a trace for Perfetto, as files."""
