"""Units of metrics by the first part of their flat names."""

UNITS = {"latency_ms": "ms", "energy_mj_per_frame": "mJ per frame", "power_mw": "mW", "throughput_fps": "fps"}
