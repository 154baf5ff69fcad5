"""What both daemons need of their host: settings, a log, and systemd's ear."""
