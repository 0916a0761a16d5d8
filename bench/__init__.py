"""Speed and memory of the finished product, beside the same work done bare. See README.md."""
