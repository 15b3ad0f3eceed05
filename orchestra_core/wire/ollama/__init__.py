"""Ollama's native format: /api/chat, /api/generate and /api/embed, as a backend that is called by us.

Source: docs/api.md and api/types.go of Ollama.
"""

from orchestra_core.wire.ollama.fault import read_error
from orchestra_core.wire.ollama.reply import StreamReader, read_answer, read_embeddings
from orchestra_core.wire.ollama.request import render_request

__all__ = ["StreamReader", "read_answer", "read_embeddings", "read_error", "render_request"]
