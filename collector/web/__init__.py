"""The page: server-rendered, Vietnamese with English beside it, live through server-sent events."""
