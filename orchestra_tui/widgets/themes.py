"""The console's own themes; Textual's are there too."""

from textual.theme import Theme

DARK = Theme(
    name="orchestra-dark",
    primary="#6cb6ff",
    secondary="#b39df3",
    accent="#5ad1c8",
    warning="#e8b84a",
    error="#f2727a",
    success="#7bc77e",
    foreground="#d7dce2",
    background="#11151a",
    surface="#161b22",
    panel="#232a33",
    dark=True,
    variables={"border": "#6cb6ff", "border-blurred": "#323b47", "footer-background": "#161b22"},
)

LIGHT = Theme(
    name="orchestra-light",
    primary="#0b5fb0",
    secondary="#6a4bc4",
    accent="#00776d",
    warning="#8a5a00",
    error="#b3202c",
    success="#1f7a2e",
    foreground="#1d242c",
    background="#f7f8fa",
    surface="#eef0f3",
    panel="#dfe3e8",
    dark=False,
    variables={"border": "#0b5fb0", "border-blurred": "#c3cad3"},
)

THEMES = (DARK, LIGHT)
