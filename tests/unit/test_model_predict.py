"""Probabilities and explanations: one record alone, many together, from any thread."""

import dataclasses

import lightgbm
import numpy as np
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import ContractMismatch
from jobchurn.model import Model, Scorer
from jobchurn.model.card import Calibration
from jobchurn.model.encode import Encoder
from jobchurn.model.predict import calibrated
from small_model import CALIBRATION, random_records, small_model
from toy import TOY

MODEL = small_model(JOB_CHANGE)
RECORDS = random_records(JOB_CHANGE, 300, seed=4)


def test_a_record_has_the_same_probability_alone_and_among_others():
    together = MODEL.probabilities(RECORDS).tolist()
    assert [MODEL.probabilities([record])[0] for record in RECORDS] == together
    assert MODEL.probabilities(RECORDS[:2]).tolist() == together[:2]


def test_probabilities_are_the_calibrated_scores_of_lightgbm():
    matrix = Encoder(JOB_CHANGE, MODEL.levels).matrix(RECORDS)
    scores = lightgbm.Booster(model_str=MODEL.text).predict(matrix, raw_score=True)
    expected = 1 / (1 + np.exp(-(CALIBRATION.slope * scores + CALIBRATION.intercept)))
    np.testing.assert_allclose(MODEL.probabilities(RECORDS), expected, rtol=1e-14)


def test_no_records_have_no_probabilities_and_no_explanations():
    assert MODEL.probabilities([]).tolist() == []
    assert MODEL.explain([]) == []


def test_what_is_no_feature_makes_no_difference():
    hidden = {column.name for column in JOB_CHANGE.columns} - set(MODEL.card.features)
    bare = [{k: v for k, v in record.items() if k not in hidden} for record in RECORDS]
    assert hidden
    assert MODEL.probabilities(bare).tolist() == MODEL.probabilities(RECORDS).tolist()
    assert MODEL.probabilities([r | {"more": "x"} for r in bare]).tolist() == (
        MODEL.probabilities(RECORDS).tolist()
    )


def test_an_absent_optional_column_is_a_blank():
    optional = next(column.name for column in JOB_CHANGE.features if not column.required)
    blank = RECORDS[0] | {optional: None}
    absent = {name: value for name, value in blank.items() if name != optional}
    assert MODEL.probabilities([absent]) == MODEL.probabilities([blank])


def test_contributions_and_baseline_sum_to_the_score_before_calibration():
    probabilities = MODEL.probabilities(RECORDS)
    for explanation, probability in zip(MODEL.explain(RECORDS), probabilities, strict=True):
        assert tuple(explanation["contributions"]) == MODEL.card.features
        total = explanation["baseline"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(explanation["score"], abs=1e-9)
        assert calibrated(np.array([explanation["score"]]), CALIBRATION) == [probability]


def test_all_explanations_start_from_the_same_baseline():
    baselines = [explanation["baseline"] for explanation in MODEL.explain(RECORDS)]
    assert baselines == pytest.approx([baselines[0]] * len(RECORDS))


def test_a_score_of_any_size_is_calibrated_without_a_warning(recwarn):
    scores = np.array([-1e300, -1e4, 0.0, 1e4, 1e300])
    assert calibrated(scores, Calibration(1.0, 0.0)).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert not recwarn.list


def test_a_model_of_another_contract_is_refused():
    with pytest.raises(ContractMismatch, match=r"machine-failure.*jobchurn train"):
        Model(MODEL.text, MODEL.card, TOY)


def test_trees_that_see_another_number_of_features_are_refused():
    with pytest.raises(ValueError, match=f"see {len(JOB_CHANGE.features)} features"):
        Scorer(MODEL.text, {}, CALIBRATION, TOY)


def test_a_description_may_change_without_retiring_the_model():
    columns = tuple(dataclasses.replace(c, meaning="Anew.") for c in JOB_CHANGE.columns)
    described = dataclasses.replace(JOB_CHANGE, columns=columns)
    model = Model(MODEL.text, MODEL.card, described)
    assert model.probabilities(RECORDS).tolist() == MODEL.probabilities(RECORDS).tolist()
