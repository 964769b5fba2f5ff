import io
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from scipy.special import expit

import camlucida
from camlucida.evaluation.classification import Answers, answers, classified
from camlucida.evaluation.classification.domain import Fitness, judge, judgements, verdicts
from camlucida.evaluation.report.document import Tone
from camlucida.models.card import Output
from camlucida.models.load import load_folder
from camlucida.records import Image
from squeezenet import FINDINGS, write_squeezenet


def drawn(count=600, *, shift=-1.0, telling=2.0, said=0.0, seed=0, finding="A"):
    """Cases whose log odds are right; the model says `said` more."""
    random = np.random.default_rng(seed)
    x = telling * random.normal(size=count) + shift
    present = random.random(count) < expit(x)
    patients = tuple(str(case) for case in range(count))
    return classified(Answers(finding, present, x + said, 0.5, x + said >= 0, patients))


def guessing(count=200, seed=0):
    random = np.random.default_rng(seed)
    x, patients = random.normal(size=count), tuple(str(case) for case in range(count))
    return classified(Answers("B", random.random(count) < 0.5, x, None, None, patients))


def test_a_model_that_is_right_is_not_condemned():
    judged = judge(drawn(), stated_auc=0.85)
    assert judged.fitness is Fitness.NO_REASON_AGAINST
    (verdict,) = verdicts([judged])
    assert verdict.tone is Tone.GOOD
    assert "nothing of other images" in verdict.why


def test_guessing_must_not_be_used():
    judged = judge(guessing())
    assert judged.fitness is Fitness.UNFIT
    assert "cannot be told from guessing" in judged.reasons[0]


def test_probabilities_that_are_off_are_told_and_those_far_off_forbid():
    off, far = judge(drawn(said=1.2)), judge(drawn(said=4.0))
    assert off.fitness is Fitness.MISCALIBRATED
    assert "chance alone gives" in off.reasons[0]
    assert far.fitness is Fitness.UNFIT
    assert any("reports most cases without the finding" in why for why in far.reasons)
    assert any("probabilities are off" in why for why in far.reasons)


def test_a_model_that_reports_nobody_misses_most():
    judged = judge(drawn(said=-6.0))
    assert any("misses most cases with the finding (sensitivity 0." in why for why in judged.reasons)


def test_far_below_the_stated_figure_is_another_model():
    one = drawn()
    auc = one.estimates["classification.auc"].high
    assert judge(one, auc + 0.02).fitness is Fitness.WEAKER
    assert judge(one, auc + 0.1).fitness is Fitness.UNFIT
    assert "that is stated for it" in judge(one, auc + 0.1).reasons[0]


def test_few_cases_decide_nothing():
    random = np.random.default_rng(0)
    x = random.normal(size=30)
    patients = tuple(str(case) for case in range(30))
    judged = judge(classified(Answers("A", np.arange(30) < 9, x, 0.5, x >= 0, patients)))
    assert judged.fitness is Fitness.UNDECIDED
    assert "9 with it and 21 without" in judged.reasons[0]


@pytest.mark.parametrize(("count", "fitness"), [(9, Fitness.UNDECIDED), (10, Fitness.NO_REASON_AGAINST)])
def test_many_images_of_few_patients_do_not_acquit(count, fitness):
    one = drawn().answers
    patients = tuple(f"{case % count}" for case in range(len(one.present)))
    judged = judge(classified(Answers("A", one.present, one.log_odds, 0.5, one.reported, patients)))
    assert judged.fitness is fitness
    assert not judged.reasons or "9 patients with it and 9 without" in judged.reasons[0]


@pytest.mark.parametrize(
    ("log_odds", "fitness", "says"),
    [
        (lambda present: np.where(present, -3.0, 3.0), Fitness.UNFIT, "0.00 is worse than guessing"),
        (lambda present: np.zeros(len(present)), Fitness.UNFIT, "0.50 cannot be told from guessing"),
        (lambda present: np.where(present, 9.0, -9.0), Fitness.NO_REASON_AGAINST, None),
    ],
)
def test_figures_without_an_interval_are_judged_too(log_odds, fitness, says):
    """In every resample the AUC is the same."""
    present = np.arange(60) % 2 == 0
    patients = tuple(str(case) for case in range(60))
    judged = judge(classified(Answers("A", present, log_odds(present), None, None, patients)))
    assert judged.fitness is fitness
    assert says is None or says in judged.reasons[0]


def test_the_worst_comes_first_and_findings_share_a_verdict():
    several = [drawn(finding="A"), guessing(), drawn(finding="C", said=4.0)]
    first, second = verdicts(judgements(several))
    assert first.title == "Must not be used on these images: B, C"
    assert first.tone is Tone.BAD
    assert "B: its AUC" in first.why
    assert second.title.endswith("images like these: A")
    assert len(verdicts(judgements([guessing()]))[0].title.split(":")) == 1  # there is no other finding


def observed_by(model, images, labels, patients, observed):
    """What the model says of images, as an evaluation would have it."""
    cases = []
    with torch.inference_mode():
        for image, known, patient in zip(images, labels, patients, strict=True):
            logits = model.module(torch.from_numpy(model.prepare(image).values)[None])[0]
            one = observed(0.0, labels=known, patient=patient)
            prediction = model.prediction(logits.tolist())
            cases.append(type(one)(one.case, prediction, {}, (), one.thumbnail, one.embedding))
    return cases


@pytest.mark.real_data
def test_a_network_trained_on_children_must_not_be_used_on_adults(real_data, observed):
    """On all 510 films, AUC 0.78 (0.57 to 0.92); here on every fourth without a finding."""
    with np.load(real_data / "nih" / "nih64.npz", allow_pickle=False) as nih:
        names, adult = list(nih["L"]), nih["age"] >= 18
        ill = nih["y"][:, names.index("Pneumonia")].astype(bool) & adult
        well = np.flatnonzero(nih["y"][:, names.index("No Finding")].astype(bool) & adult)[::4]
        chosen = [*np.flatnonzero(ill), *well]
        films, patients = nih["x"][chosen], nih["pid"][chosen].astype(str)
    labels = [{"Pneumonia": bool(one)} for one in ill[chosen]]
    model = camlucida.load_model("paediatric-pneumonia")
    cases = observed_by(model, [Image(film) for film in films], labels, patients, observed)
    (verdict,) = verdicts(judgements([classified(answers(cases, "Pneumonia"))]))
    assert verdict.title == "Must not be used on these images"
    assert verdict.tone is Tone.BAD
    assert "reports most cases without the finding" in verdict.why
    assert "probabilities are off by 0." in verdict.why


@pytest.mark.real_data
def test_the_squeezenet_is_badly_calibrated(tmp_path, real_data, observed):
    """It calls nearly all bacterial pneumonia normal; its probabilities of bacterial and normal are off."""
    model = load_folder(write_squeezenet(tmp_path / "model", real_data))
    with zipfile.ZipFile(real_data / "kermany224" / "test.zip") as films:
        names = sorted(name for name in films.namelist() if name.endswith(".jpeg"))[::8]
        images = [
            Image(np.asarray(PIL.Image.open(io.BytesIO(films.read(name))).convert("L"))) for name in names
        ]
    labels = [{finding: finding == _said_by(name) for finding in FINDINGS} for name in names]
    patients = [Path(name).stem for name in names]
    cases = observed_by(model, images, labels, patients, observed)
    found = {
        finding: judge(classified(answers(cases, finding, Output.SOFTMAX)), None) for finding in FINDINGS
    }
    assert "misses most" in found["Bacterial pneumonia"].reasons[0]
    assert found["Normal"].fitness >= Fitness.MISCALIBRATED
    (one,) = [why for why in found["Normal"].reasons if "probabilities are off" in why]
    assert "where chance alone gives" in one


def _said_by(name):
    if name.startswith("NORMAL"):
        return "Normal"
    return "Bacterial pneumonia" if "bacteria" in name else "Viral pneumonia"
