"""Decisions about where a call goes: what it needs, what each endpoint can do, and which is best now."""
