"""OpenAI's wire format: platform.openai.com/docs/api-reference, chat, completions, embeddings, models.

`requests` reads what clients send and renders what backends are sent, `streams` reads and relays streamed
answers, `answers` reads and renders whole ones.
"""
