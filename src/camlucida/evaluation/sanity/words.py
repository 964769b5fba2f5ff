"""The randomisation test in words and tables: Markdown to read, JSON to keep."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from camlucida.evaluation.sanity import PAIRS, SanityReport
from camlucida.saliency.trust.report import verdict
from camlucida.version import __version__

COLUMNS = (
    "method",
    "verdict",
    "SSIM of random pairs",
    "SSIM, head randomised",
    "SSIM, all layers",
    "Spearman, head",
    "Spearman, all layers",
)


HEAD = ("kind", "deviation", "deviation_pooled", "target_layer")
"""What is kept of the head's proof; the deviations are in logits."""


def head_in_words(report: SanityReport) -> str:
    """What the proof of the head on these images means for the two maps that it is about."""
    hirescam, grad_cam = (verdict(report.head, method) for method in ("hirescam", "grad-cam"))
    return f"Head on these images: HiResCAM {hirescam}; Grad-CAM {grad_cam}."


def rows(report: SanityReport) -> list[tuple[str, ...]]:
    """A line a method, under COLUMNS: SSIM of random pairs, after the first and after the last step."""
    return [
        (method.method, method.verdict, *["–"] * 5)
        if method.error
        else (
            method.method,
            "pass" if method.passed else "fail",
            f"{method.random_pairs:.3f}",
            f"{method.steps[0].ssim:.3f}",
            f"{method.steps[-1].ssim:.3f}",
            f"{method.steps[0].correlation:.2f}",
            f"{method.steps[-1].correlation:.2f}",
        )
        for method in report.methods
    ]


def as_json(report: SanityReport, model: str, digest: str) -> dict[str, Any]:
    """All figures of the test as plain JSON types."""
    return {
        "model": model,
        "model_digest": digest,
        "library_version": __version__,
        "images": report.images,
        "findings": list(report.findings),
        "seed": report.seed,
        "head": {name: getattr(report.head, name) for name in HEAD},
        "methods": [
            {**asdict(method), "passed": method.passed, "verdict": method.verdict}
            for method in report.methods
        ],
    }


def as_markdown(report: SanityReport, model: str) -> str:
    """A page: what was done, the verdicts, and the whole cascade."""
    head = [
        f"# Randomisation test of {model}",
        "",
        _what_was_done(report),
        "",
        head_in_words(report),
        "",
        "![Maps across the cascade](cascade.png)",
        "",
        *_table(COLUMNS, rows(report)),
        "",
    ]
    for method in report.methods:
        head += [f"## {method.method}", "", f"{method.verdict[0].upper()}{method.verdict[1:]}.", ""]
        steps = [(step.step, f"{step.ssim:.3f}", f"{step.correlation:.2f}") for step in method.steps]
        head += [*_table(("randomised down to", "SSIM", "Spearman"), steps), ""] if steps else []
    return "\n".join(head)


def _what_was_done(report: SanityReport) -> str:
    return (
        f"Cascading weight randomisation (Adebayo et al., NeurIPS 2018) on {report.images} images, "
        f"{len(report.findings)} findings, seed {report.seed}, camlucida {__version__}. A method passes if, "
        "with every layer randomised, the structural similarity (SSIM) to the trained network's map is below "
        f"that of {PAIRS} random pairs of the trained network's maps (Arun et al., Radiology: AI 2021)."
    )


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(line)} |" for line in lines),
    ]
