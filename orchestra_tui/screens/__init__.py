"""The views, and the dialogs over them."""
