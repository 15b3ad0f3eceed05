"""The control side: loops that watch backends, load models and publish what the request side reads."""
