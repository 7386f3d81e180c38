"""A folder of results as one self-contained HTML page: tables, charts in SVG, a zoomable timeline, provenance."""
