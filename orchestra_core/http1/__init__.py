"""HTTP/1.1 bytes: message heads rendered, requests checked. Parsing itself is httptools' (llhttp)."""
