"""The one table of what a user can do: bindings, help, footer, palette and command line all come from it."""
