"""The node's daemon: plan → schedule → run → spool → deliver."""

VERSION = "0.1.0"
"""The release. Stands here because asking the installed package costs a daemon 3 MB; a test holds the two together."""
