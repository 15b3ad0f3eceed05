"""The life of a request, stage by stage; each stage holds the next and returns when the stream has closed."""
