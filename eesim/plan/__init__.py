"""The boundary between the friendly world and the engines."""
