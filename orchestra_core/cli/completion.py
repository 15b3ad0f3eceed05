"""Completion scripts, as click makes them from the command tree."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_AI_ORCHESTRA_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
      bash: ai-orchestra completion bash > ~/.local/share/bash-completion/completions/ai-orchestra
      zsh:  ai-orchestra completion zsh > "${fpath[1]}/_ai-orchestra"
      fish: ai-orchestra completion fish > ~/.config/fish/completions/ai-orchestra.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "ai-orchestra", _VARIABLE).source())
