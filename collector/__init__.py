"""The centre: ingest → journal → store, the newest state, alerts, coverage, API and page."""
