"""Networks, their profiles on a board, and the stream of frames."""
