"""One question to one DNS server: the query and the response as bytes (:mod:`.message`, :mod:`.name`, :mod:`.record`),
over UDP and TCP (:mod:`.exchange`), to a verdict (:mod:`.judge`). A resolver library would be a sixth of the agent.
"""
