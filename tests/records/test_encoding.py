import json
from dataclasses import replace

import numpy as np
import pytest
import zstandard

from camlucida.errors import DamagedBlob
from camlucida.records import Explanation
from camlucida.records.encoding import MAX_BYTES, decode, encode, from_json, to_json


def same(left: Explanation, right: Explanation) -> bool:
    return json.dumps(to_json(left)) == json.dumps(to_json(right)) and np.array_equal(
        left.saliency_map.values, right.saliency_map.values
    )


def test_what_is_read_is_what_was_written(make_explanation):
    explanation = make_explanation()
    assert same(decode(encode(explanation)), explanation)
    assert decode(encode(explanation)).prediction == explanation.prediction
    assert decode(encode(explanation)).provenance == explanation.provenance
    assert decode(encode(explanation)).trust == explanation.trust


def test_the_same_explanation_gives_the_same_bytes(make_explanation):
    assert encode(make_explanation()) == encode(make_explanation())


def test_a_regression_has_no_probabilities(make_explanation):
    explanation = make_explanation()
    nothing = tuple(float("nan") for _ in explanation.prediction.logits)
    without = replace(explanation, prediction=replace(explanation.prediction, probabilities=nothing))
    back = decode(encode(without))
    assert all(np.isnan(back.prediction.probabilities))
    assert to_json(back)["prediction"]["probabilities"] == [None] * len(nothing)


def test_every_truncation_and_most_flips_are_noticed(make_explanation):
    blob = encode(make_explanation())
    for length in range(0, len(blob), max(1, len(blob) // 60)):
        with pytest.raises(DamagedBlob):
            decode(blob[:length])
    for place in range(0, len(blob), max(1, len(blob) // 60)):
        damaged = bytearray(blob)
        damaged[place] ^= 0xFF
        try:  # a flip may hit a value: then it decodes, and the digest of the store is what notices
            decode(bytes(damaged))
        except DamagedBlob:
            continue


def test_a_bomb_is_not_unpacked():
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(MAX_BYTES + 2**20))
    with pytest.raises(DamagedBlob):
        decode(bomb)


def test_eighteen_findings_of_a_radiograph_are_kept_in_less_than_200_kilobytes(make_explanation):
    for grid in ((7, 7), (16, 16), (32, 32)):
        assert len(encode(make_explanation(findings=18, native=grid))) <= 200_000


def test_a_blob_that_would_grow_beyond_the_bound_is_refused_before_memory_is_taken():
    content = bytes(MAX_BYTES // 2)
    frame = zstandard.ZstdCompressor().compressobj(size=2 * MAX_BYTES)
    bomb = frame.compress(content[:1]) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    with pytest.raises(DamagedBlob, match="ValueError"):
        decode(bomb)


def test_what_was_kept_before_there_were_checks_is_still_read(make_explanation):
    explanation = make_explanation()
    content = json.loads(json.dumps(to_json(explanation)))
    for name in ("verdict", "head_inputs", "head_images", "body_share", "body"):
        del content["trust"][name]
    for finding in content["trust"]["findings"]:
        for name in ("corner_share", "outside_share", "causal", "stability", "agreement", "prior"):
            del finding[name]
    read = from_json(content, explanation.saliency_map.values)
    assert read.trust == explanation.trust
