"""DHCP on an office's LAN: who offers addresses there, what they offer, and whether they are those who should.

A question goes out as bytes (:mod:`.format4`, :mod:`.format6`), a short-lived child process with scapy puts it on the
wire and brings back the frames that came (:mod:`.probe`, :mod:`.child`), and from there everything is pure: frames to
answers (:mod:`.frame`, :mod:`.answers`), answers to a verdict (:mod:`.expect`, :mod:`.judge`, :mod:`.tell`). Beside it
servers are asked how full their pools are (:mod:`.usage`, :mod:`.kea`, :mod:`.mib`).
"""
