"""The certificates of a TLS server or of a file: how long each lasts, whether it is for this name, whether clients
trust it, and whether the server keeps to the protocols of today.

fetch (:mod:`~checks.tls.handshake`, :mod:`~checks.tls.starttls`, :mod:`~checks.tls.files`) → parse
(:mod:`~checks.tls.examine`, in a child process: the library for it takes 10 MB) → :mod:`~checks.tls.judge`.
"""
