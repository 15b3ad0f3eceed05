"""`doctor`: runs every check, says what is wrong and how to mend it."""

import click

from orchestra_core.cli.doctor import examine
from orchestra_core.cli.failure import Code
from orchestra_core.cli.options import Session, formatted


@click.command()
@click.option("--config", metavar="FILE", help="Configuration file.")
@formatted
def doctor(session: Session) -> int:
    """Check everything that may be wrong here, with the fix for each; exits with 1 if something is."""
    findings = examine(session)
    failed = sum(finding.status == "fail" for finding in findings)
    out = session.out
    if out.as_json:
        out.data({"ok": not failed, "failed": failed, "checks": findings})
        return Code.FAILED if failed else Code.DONE
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        pad = " " * (4 - len(finding.status))
        click.echo(f"{out.state(finding.status)}{pad}  ", nl=False)
        out.line(f"{finding.name:<{width}}  {finding.detail}")
        if finding.fix and finding.status != "ok":
            out.line(f"{'':<{width + 8}}fix: {finding.fix}")
    warned = sum(finding.status == "warn" for finding in findings)
    out.talk(f"{len(findings)} checks, {failed} failed, {warned} to look at")
    return Code.FAILED if failed else Code.DONE
