"""The check ``config``: a device's running configuration, cleaned of what changes by itself and of secrets."""
