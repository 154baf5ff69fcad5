"""Where measurements are kept: behind one protocol an embedded store, InfluxDB, or VictoriaMetrics."""
