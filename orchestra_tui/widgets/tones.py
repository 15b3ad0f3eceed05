"""The styles of the tones. The application alone has them as component classes: on every widget that paints lines they
would be most of what opening a view costs."""

from rich.style import Style
from textual.css.styles import RenderStyles
from textual.widget import Widget

from orchestra_tui.present.spans import TONES

TONE_CLASSES = {f"tone--{tone}" for tone in TONES} | {"tone--cursor", "tone--plain"}


class Tones:
    """The tones as one widget shows them, over its own background. Styles are made once; `forget` when they changed."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._made: dict[tuple[str, str], Style] = {}

    def forget(self) -> None:
        self._made.clear()

    def style(self, tone: str, ground: str = "plain") -> Style:
        """Of text in a tone, in a line whose own is `ground`."""
        found = self._made.get((tone, ground))
        if found is None:
            found = self._made[tone, ground] = self._make(tone, ground)
        return found

    def _make(self, tone: str, ground: str) -> Style:
        _, below = self._widget.background_colors
        styles = [self._rules(ground), *([self._rules(tone)] if tone else [])]
        style, color = Style(), None
        for each in styles:
            if each.has_rule("background"):
                below += each.background
            if each.has_rule("color"):
                automatic = each.has_rule("auto_color") and each.auto_color
                color = below.get_contrast_text(each.color.a) if automatic else each.color
            style += each.text_style
        front = (below + color).rich_color if color is not None else None
        return style + Style.from_color(front, below.rich_color if below.a else None)

    def _rules(self, tone: str) -> RenderStyles:
        app, name = self._widget.app, f"tone--{tone}"
        try:
            return app.get_component_styles(name)
        except KeyError:
            # The first view is painted before Textual looks for the styles of the application itself.
            app.stylesheet.apply(app)
            return app.get_component_styles(name)
