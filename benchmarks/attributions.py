"""What each pixel attribution of all findings costs beside one inference, on the shipped phantom models.

    python benchmarks/attributions.py                      a table, with Captum where it has the same method
    python benchmarks/attributions.py --picture FILE.png   the maps of one finding side by side

CPU time (all threads), the median of some rounds; Captum explains one finding at a time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import captum.attr
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor, nn

import camlucida
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import Image
from camlucida.records.method_name import spelling
from camlucida.rendering.legend import PANEL

METHODS = (
    "gradient",
    "input x gradient",
    "smoothgrad",
    "integrated gradients",
    "gradientshap",
    "deconvolution",
    "guided backpropagation",
    "guided grad-cam",
    "occlusion",
    "lime",
    "kernelshap",
)
SHOWN = (
    "grad-cam",
    "integrated gradients",
    "smoothgrad",
    "guided backpropagation",
    "occlusion",
    "kernelshap",
)
TILE = 360  # pixels


def film() -> Image:
    """A phantom radiograph with a pneumothorax."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.dcm"
        write_radiograph(radiograph(7, ["Pneumothorax"], rows=512), path)
        return camlucida.read_image(path)


def captums(network: nn.Module, inputs: Tensor, findings: int) -> dict[str, Callable[[], object]]:
    """The same methods with the same numbers of passes, one finding after the other."""
    attr = captum.attr
    gradient, path = attr.Saliency(network), attr.IntegratedGradients(network)
    tunnel, sliding = attr.NoiseTunnel(gradient), attr.Occlusion(network)
    leaf = inputs.clone().requires_grad_()
    windows = {"sliding_window_shapes": (1, 16, 16), "strides": (1, 8, 8), "perturbations_per_eval": 16}

    def each(attribute: Callable[[int], object]) -> Callable[[], object]:
        return lambda: [attribute(finding) for finding in range(findings)]

    return {
        "gradient": each(lambda finding: gradient.attribute(leaf, target=finding)),
        "smoothgrad": each(
            lambda finding: tunnel.attribute(leaf, nt_samples=50, nt_samples_batch_size=16, target=finding)
        ),
        "integrated gradients": each(
            lambda finding: path.attribute(leaf, target=finding, n_steps=50, internal_batch_size=16)
        ),
        "occlusion": each(lambda finding: sliding.attribute(inputs, target=finding, **windows)),
    }


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Median CPU time, after one run that does not count."""
    run()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def report(repeats: int) -> None:
    """Print the table."""
    model, image = camlucida.load_model("phantom-radiograph"), film()
    inputs = torch.from_numpy(model.prepare(image).values)[None]
    findings = len(model.card.findings)
    theirs = captums(model.module, inputs, findings)

    def inference() -> object:
        with torch.inference_mode():
            return model.module(inputs)

    one = seconds(inference, 10 * repeats)
    print(f"phantom-radiograph, {findings} findings, {torch.get_num_threads()} threads", end=", ")
    print(f"one inference: {1000 * one:.1f} ms of CPU time\n")
    print("| method | CPU time | beside one inference | Captum |\n|---|---|---|---|")
    for method in METHODS:
        ours = seconds(lambda method=method: camlucida.explain(model, image, method=method), repeats)  # type: ignore[misc]  # mypy does not infer a lambda's default
        peer = f"× {seconds(theirs[method], repeats) / one:.0f}" if method in theirs else ""
        print(f"| `{method}` | {ours:.2f} s | × {ours / one:.0f} | {peer} |", flush=True)


def picture(path: Path) -> None:
    """Draw the maps of the pneumothorax, three in a row."""
    model, image = camlucida.load_model("phantom-radiograph"), film()
    tiles = []
    for method in SHOWN:
        drawn = camlucida.explain(model, image, method=method).overlay("Pneumothorax")
        seen = drawn.crop((0, 0, drawn.width - PANEL, drawn.height))
        tile = seen.resize((TILE, round(seen.height * TILE / seen.width)))
        PIL.ImageDraw.Draw(tile).text((8, 4), spelling(method), "white", PIL.ImageFont.load_default(18))
        tiles.append(tile)
    high = tiles[0].height
    sheet = PIL.Image.new("RGB", (3 * TILE, high * -(-len(tiles) // 3)))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % 3 * TILE, number // 3 * high))
    sheet.save(path, optimize=True)


def main() -> None:
    """Read the command line and measure, or draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    if chosen.picture:
        picture(chosen.picture)
    else:
        report(chosen.repeats)


if __name__ == "__main__":
    main()
