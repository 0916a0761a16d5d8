"""SIP on sockets: transports, registrar, trunks, and the carrier that calls use."""
