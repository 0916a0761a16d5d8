"""Descriptions as clients send them, and changes to them."""

FINGERPRINT = ":".join(["69", "D0", "44", "D2"] * 8)
UFRAG = "5Hhv"
PASSWORD = "hFtoeABKkr8VgNK+LJekRaw4"

CLIENT = f"""v=0
o=- 4194523229812909 2 IN IP4 127.0.0.1
s=-
t=0 0
a=extmap-allow-mixed
a=msid-semantic: WMS c7d8efd3
a=group:BUNDLE 0
m=audio 57573 UDP/TLS/RTP/SAVPF 111 63 103 9 102 0 8 106 13 110 112 113 126
c=IN IP4 192.0.2.2
a=rtpmap:111 opus/48000/2
a=rtpmap:63 red/48000/2
a=rtpmap:103 ISAC/16000
a=rtpmap:9 G722/8000
a=rtpmap:102 ILBC/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:106 CN/32000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:112 telephone-event/32000
a=rtpmap:113 telephone-event/16000
a=rtpmap:126 telephone-event/8000
a=fmtp:111 minptime=10;useinbandfec=1
a=fmtp:63 111/111
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-fb:111 transport-cc
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=setup:actpass
a=mid:0
a=msid:- 73ad244e
a=sendrecv
a=ice-ufrag:{UFRAG}
a=ice-pwd:{PASSWORD}
a=fingerprint:sha-256 {FINGERPRINT}
a=candidate:1176891032 1 udp 2122260223 0.0.0.0 9 typ host generation 0 network-id 1
a=ice-options:trickle
a=ssrc:51219394 cname:ciEMZnKTyj2RdW4l
a=ssrc:51219394 msid:- 73ad244e
a=rtcp-mux
"""
"""The published clients' offer: one section, one candidate that leads nowhere."""

VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=rtpmap:96 VP8/90000
a=mid:1
a=sendrecv
"""


def without(text: str, start: str) -> str:
    """Without the lines that begin so."""
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(start))


def with_line(text: str, start: str, line: str) -> str:
    """With another line where the first begins so."""
    old = next(each for each in text.splitlines() if each.startswith(start))
    return text.replace(old, line, 1)
