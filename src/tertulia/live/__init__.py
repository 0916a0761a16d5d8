"""Live sessions: the socket, who is there, and what each is told as it happens."""
