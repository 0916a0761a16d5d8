"""The media worker: a process that carries, mixes, plays and records the audio of legs."""
