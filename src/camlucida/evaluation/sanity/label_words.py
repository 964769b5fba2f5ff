"""The label test in words and a table: blocks of a report."""

from collections.abc import Iterator

from camlucida.evaluation.report.document import Block, Paragraph, Table, Tone
from camlucida.evaluation.sanity.label_randomisation import SHUFFLES, LabelReport
from camlucida.records.method_name import spelling

TONES = {True: Tone.GOOD, False: Tone.BAD, None: Tone.CAUTION}


def label_blocks(report: LabelReport) -> Iterator[Block]:
    """What was done, the verdict on each method, and the figures."""
    yield Paragraph(
        f"Labels: the last layer alone was trained again on {report.cases} cases, once on the right labels "
        f"and {SHUFFLES} times on shuffled ones. Adebayo et al. (NeurIPS 2018) train the whole network "
        "again; here the features below still know the right labels, so to pass says less. Maps of "
        f"{report.images} images are held against the model's own."
    )
    for one in report.methods:
        yield Paragraph(f"{spelling(one.method)} {one.verdict}.", TONES[one.passed])
    yield Table(
        ("Method", "SSIM, right labels", "SSIM, shuffled", "Less alike by", "SSIM of random pairs"),
        [
            (spelling(one.method), *["–"] * 4)
            if one.difference is None
            else (
                spelling(one.method),
                f"{one.right:.2f}",
                f"{one.shuffled:.2f}",
                one.difference.text(),
                f"{one.random_pairs:.2f}",
            )
            for one in report.methods
        ],
        right=4,
        caption="Maps of a last layer that was trained again, beside the model's own maps",
        notes=_left_out(report),
    )


def _left_out(report: LabelReport) -> list[str]:
    if not report.left_out:
        return []
    return [f"Not trained again, as too few cases are known with and without: {', '.join(report.left_out)}."]
