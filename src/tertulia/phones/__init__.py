"""Simulated phones: scripted callees that speak SIP and RTP over loopback."""
