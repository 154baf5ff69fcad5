"""From measurements to incidents to people: rules, incidents, notification. Pure at its core."""
