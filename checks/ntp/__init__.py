"""One question to one NTP server, and what its answer says of its clock."""
