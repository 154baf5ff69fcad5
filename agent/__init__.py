"""The node's daemon: plan → schedule → run → spool → deliver."""
