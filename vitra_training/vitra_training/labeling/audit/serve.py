"""What `vitra-label audit` does: open a sample, serve its pages, say the result."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from vitra_console.web.access import default_token
from vitra_training.labeling.audit.judgements import JudgementBook
from vitra_training.labeling.audit.sample import AuditSample
from vitra_training.labeling.audit.score import lines, score
from vitra_training.labeling.audit.server import make_app

__all__ = ["default_token", "open_audit", "result_of", "run_pages"]


def open_audit(run: Path, size: int, seed: int) -> tuple[AuditSample, JudgementBook]:
    """The sample of a run, drawn now or before, and what was judged so far.

    Args:
        run: Folder of a labeling run.
        size: Of the sample.
        seed: Of the draw.

    Raises:
        AuditError: there is nothing to judge.
    """
    sample = AuditSample(run, size, seed)
    return sample, JudgementBook(sample.folder / "judgements.csv", sample.ids)


def run_pages(sample: AuditSample, book: JudgementBook, token: str, host: str, port: int) -> None:
    """Serve the pages until Ctrl-C.

    Args:
        sample: What is judged.
        book: Where judgements go.
        token: That a page must show.
        host: Address to listen on.
        port: Its port.
    """
    app = make_app(sample, book, token, host, port)
    web.run_app(app, host=host, port=port, print=None, access_log=None)


def result_of(sample: AuditSample, book: JudgementBook) -> list[str]:
    """The result so far in words."""
    return lines(score(book.all), len(sample), sample.of)
