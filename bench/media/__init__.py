"""What a core carries of audio: legs, delays and joins, beside peers. See ../README.md."""
