import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import camlucida
from camlucida import load_model
from camlucida.errors import DiskFull, InputError, UnknownMethod
from camlucida.evaluation.data import observing
from camlucida.evaluation.data.case import Case, Mark
from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.data.keeping import decode, encode
from camlucida.evaluation.data.observing import cohort, observe
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.models.architectures import SmallResNet
from camlucida.models.cut import run
from camlucida.records import Annotation, AnnotationKind, Measurement
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.subject import of_classifier
from example_models import write_model

METHODS = ["grad-cam", "hirescam"]


class Everywhere(Mark):
    def on(self, image):
        return Annotation(self.finding, AnnotationKind.MASK, np.ones(image.space, np.bool_))


class Nowhere(Mark):
    def on(self, image):  # noqa: ARG002
        raise InputError("it lies beyond the image.")


def sums(seen, method="grad-cam", times=1):
    """The map's sum for each finding, and None where no mark is."""
    for finding in seen.maps[method].findings:
        value = times * float(seen.values(method, finding).sum()) if seen.annotations else None
        yield Measurement(seen.name, finding, method, "sum", value)


@pytest.fixture(scope="module")
def model():
    return load_model("phantom-radiograph")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Eleven films, of which the fourth is damaged, the fifth is a CT, and the sixth has a mark beyond it."""
    folder = tmp_path_factory.mktemp("films")
    cases = []
    for seed in range(11):
        path = folder / f"{seed}.dcm"
        write_radiograph(radiograph(seed, ["Effusion"] if seed % 2 else [], rows=128), path)
        marks = (Everywhere("Effusion"),) if seed % 2 else ()
        cases.append(Case(path.name, (path,), {"Effusion": bool(seed % 2)}, f"p{seed // 2}", {}, marks))
    cases[3].files[0].write_bytes(cases[3].files[0].read_bytes()[:3000])
    cases[4] = replace(cases[4], files=tuple(write_ct(ct_volume(1, slices=3, rows=32), folder / "ct")))
    cases[5] = replace(cases[5], marks=(Nowhere("Effusion"), Everywhere("Effusion")))
    return cases


@pytest.fixture(scope="module")
def kept_in(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def seen(model, cases, kept_in):
    steps = []
    seen = cohort(
        model,
        cases,
        METHODS,
        [sums],
        kept_in=kept_in,
        progress=lambda done, whole: steps.append((done, whole)),
    )
    assert steps == [(done, 11) for done in range(1, 12)]
    return seen


def same(one, other):
    assert encode(one) == encode(other)
    assert one.case == other.case


def test_each_case_is_explained_as_explain_does_and_the_bad_ones_alone_are_refused(seen, model, cases):
    assert [one.case.name for one in seen.observed] == [
        case.name for number, case in enumerate(cases) if number not in {3, 4}
    ]
    assert [refused.case for refused in seen.refused] == ["3.dcm", "4.dcm"]
    assert "volume" in seen.refused[1].reason or "CT" in seen.refused[1].reason
    assert seen.digest == model.digest
    for one in (seen.observed[0], seen.observed[-1]):
        image = camlucida.read_image(one.case.files[0])
        for method in METHODS:
            alone = camlucida.explain(model, image, method=method)
            assert one.maps[method].values == pytest.approx(alone.values, abs=1e-4)
            assert one.maps[method].residual == pytest.approx(alone.residual, abs=1e-3)
        assert one.prediction.logits == pytest.approx(alone.explanation.prediction.logits, abs=1e-4)
        assert one.thumbnail.shape == (128, 113)
        assert one.slice_index is None


def test_measures_see_the_marks_and_what_cannot_be_drawn_is_told(seen):
    without, marked, _, crooked = seen.observed[:4]
    assert all(row.value is None for row in without.measurements)
    assert [row.value for row in marked.measurements] == pytest.approx(
        marked.maps["grad-cam"].values.sum(axis=(1, 2)), rel=1e-5
    )
    assert crooked.notes == ("A mark of Effusion is left out: it lies beyond the image.",)
    assert crooked.measurements[0].value is not None


def test_the_embedding_is_the_target_layers_mean_over_space(seen, model):
    one = seen.observed[1]
    subject = of_classifier(
        model, admitted(model.module), [camlucida.read_image(one.case.files[0])], None, scalar=False
    )
    found = []

    def at_cut(tensor):
        found.append([channel.mean().item() for channel in tensor[0]])
        return tensor

    run(subject.network, subject.inputs, subject.cut, at_cut)
    assert one.embedding == pytest.approx(np.array(found[0]), abs=1e-5)


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(seen, model, cases, tmp_path, monkeypatch):
    asked = [sums]
    first = observe(model, cases, METHODS, asked, kept_in=tmp_path)
    for _ in range(9):  # one more than a group; then Ctrl-C
        next(first)
    first.close()
    calls = []
    explain = observing.explain_by_each
    monkeypatch.setattr(
        observing,
        "explain_by_each",
        lambda *args, **more: calls.append(len(args[1])) or explain(*args, **more),
    )
    again = cohort(model, cases, METHODS, asked, kept_in=tmp_path)
    assert calls == [2]  # eight were kept of the first group, one of the second
    for one, other in zip(seen.observed, again.observed, strict=True):
        same(one, other)
    assert again.refused == seen.refused


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("change", ["measure", "option", "methods", "labels", "marks", "file", "damage"])
def test_whatever_changes_is_computed_anew(model, cases, kept_in, change, tmp_path, monkeypatch):
    case, methods, measuring = cases[1], METHODS, [sums]
    if change == "measure":
        measuring = []
    if change == "option":
        measuring = [partial(sums, times=2)]
    if change == "methods":
        methods = METHODS[:1]
    if change == "labels":
        case = replace(case, labels={})
    if change == "marks":
        case = replace(case, marks=(Everywhere("Nodule"),))
    if change == "file":
        path = tmp_path / "other.dcm"
        path.write_bytes(case.files[0].read_bytes() + b"\0" * 2)
        case = replace(case, files=(path,))
    before = sorted(kept_in.iterdir())
    if change == "damage":
        for path in before:
            path.write_bytes(path.read_bytes()[:-9])
    calls = []
    monkeypatch.setattr(observing, "explain_by_each", lambda *args, **_: calls.append(args) or 1 / 0)
    list(observe(model, [case], methods, measuring, kept_in=kept_in))
    assert len(calls) == 1


def test_name_patient_and_columns_are_never_kept(seen):
    case = seen.observed[1].case
    named = replace(case, name="Doe.dcm", patient="Doe^Jane", columns={"age": "Doe"})
    rows = tuple(replace(row, case="Doe.dcm") for row in seen.observed[1].measurements)
    assert rows
    content = encode(replace(seen.observed[1], case=named, measurements=rows))
    assert b"Doe" not in content
    assert decode(content, case).case is case


def test_a_fault_of_a_measure_is_not_taken_for_a_bad_file(model, cases):
    with pytest.raises(ZeroDivisionError):
        cohort(model, cases[:1], METHODS[:1], [lambda _: 1 / 0])


def test_a_measure_that_no_other_run_could_know_is_not_taken(model, cases):
    class Nameless:
        def __call__(self, seen):
            return sums(seen)

    with pytest.raises(ValueError, match="give it a repr"):
        cohort(model, cases[:1], METHODS[:1], [Nameless()])


def test_memory_does_not_grow_with_the_cases(model, cases):
    """What is left of a case that nobody holds on to: nothing."""
    images = []

    def remembered(seen):
        images.append(weakref.ref(seen.image.values))
        return ()

    for _ in observe(model, [cases[0]] * 30, METHODS[:1], [remembered]):
        assert sum(one() is not None for one in images) <= observing.TOGETHER[2]
    assert len(images) == 30


def test_a_method_that_is_not_there_is_told_at_once(model, cases):
    with pytest.raises(UnknownMethod):
        cohort(model, cases, ["grad-kam"])


def test_a_full_disk_ends_the_run_in_a_sentence(model, cases, kept_in, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(observing, "keep", full)
    with pytest.raises(DiskFull, match="goes on"):
        cohort(model, cases[:1], METHODS[:1], kept_in=kept_in / "other")


def test_of_a_volume_the_slice_with_most_evidence_is_pictured(tmp_path):
    arguments = {"space": 3, "channels": 1, "findings": 2, "width": 4, "stages": 2, "blocks": 1}
    torch.manual_seed(1)
    folder = write_model(
        tmp_path / "model",
        SmallResNet(**arguments).eval(),
        architecture_arguments=arguments,
        input={"modality": ["CT"], "size": [8, 32, 32]},
    )
    files = write_ct(ct_volume(7201, ["Nodule"], slices=24, rows=48), tmp_path / "ct")
    (one,) = observe(load_model(folder), [Case("ct", tuple(files), {}, "ct")], METHODS[:1])
    assert isinstance(one, Observed)
    evidence = np.maximum(one.maps["grad-cam"].values[int(np.argmax(one.prediction.logits))], 0)
    fullest = evidence.sum(axis=(1, 2)).argmax()
    assert evidence.any()
    assert abs((one.slice_index + 0.5) / 24 - (fullest + 0.5) / len(evidence)) <= 0.5 / len(evidence)
    assert one.thumbnail.shape == (48, 48)
