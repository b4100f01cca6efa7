"""The pages, run as Streamlit runs them against an API on loopback."""

import csv
import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fake_api import VERSION, FakeApi, example_record, example_runs, problem
from jobchurn.contract import JOB_CHANGE

HOME = Path(__file__).parents[2] / "webapp" / "Home.py"
PAGES = ("single", "batch", "past_predictions", "ingestion", "monitoring")
NAMES = [column.name for column in JOB_CHANGE.columns if column is not JOB_CHANGE.outcome]


@pytest.fixture
def api(monkeypatch):
    with FakeApi() as api:
        monkeypatch.setenv("API_URL", api.address)
        monkeypatch.setenv("API_PUBLIC_URL", "https://public.example")
        yield api


def opened(page):
    """The page, opened through the app's door."""
    app = AppTest.from_file(HOME, default_timeout=30).run()
    if page != "single":
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def press(app, label):
    [button] = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def words_of(app):
    """Everything that the page says in prose."""
    kinds = (app.markdown, app.subheader, app.caption, app.info, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def csv_of(records):
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def uploaded(content, name="people.csv"):
    app = opened("batch")
    app.file_uploader[0].upload(name, content, "text/csv").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title_and_says_what_it_is_for(api, page):
    app = opened(page)
    assert len(app.title) == 1
    assert app.markdown[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_an_api_says_so_and_what_to_do(api, page):
    api.__exit__()
    app = opened(page)
    assert "does not answer" in app.error[0].value
    assert "jobchurn up" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_whose_api_is_not_ready_shows_the_apis_own_sentence_and_cure(api, page):
    api.trouble = (503, problem("No model is in charge yet.", cure="Run `jobchurn train`."))
    app = opened(page)
    assert "No model is in charge yet" in app.error[0].value
    assert "Run `jobchurn train`." in app.error[0].value


def test_a_page_comes_back_once_the_api_does(api):
    api.trouble = (503, problem("Not yet."))
    app = opened("single")
    api.trouble = None
    press(app, "Try again")
    assert "Not yet" not in words_of(app)
    assert app.selectbox


def test_another_contract_than_the_web_apps_is_refused(api, monkeypatch):
    model = api.model() | {"contract": "0" * 16}
    monkeypatch.setattr(api, "model", lambda: model)
    assert "another contract" in opened("single").error[0].value


# --- one record --------------------------------------------------------------------------------


def test_before_an_answer_the_page_says_how_to_get_one(api):
    assert "The answer appears here" in words_of(opened("single"))


def test_an_example_is_predicted_explained_and_shown(api):
    app = press(press(opened("single"), "Try an example"), "Predict")
    [stored] = api.rows
    sentence = JOB_CHANGE.positive if stored["prediction"]["prediction"] else JOB_CHANGE.negative
    said = words_of(app)
    assert f"This candidate {sentence}." in said
    assert sum("makes it" in element.value for element in app.markdown) == 3
    assert VERSION.replace("-", r"\-") in said
    [table] = app.table
    assert list(table.value["Field"])[-2:] == ["Looking for a new job", "Probability"]
    assert len(table.value) == len(NAMES) + 2


def test_what_was_entered_is_what_the_api_is_sent(api):
    press(press(opened("single"), "Try an example"), "Predict")
    [request] = api.asked("/predict")
    examples = {c.name: c.examples[0] for c in JOB_CHANGE.columns if c is not JOB_CHANGE.outcome}
    assert request.body["records"] == [examples]


def test_optional_fields_left_alone_are_sent_as_unknown(api):
    app = press(opened("single"), "Try an example")
    app.selectbox(key="field-company_size").set_value("")
    app.text_input(key="field-enrollee_id").set_value("")
    press(app, "Predict")
    [record] = api.asked("/predict")[0].body["records"]
    assert record["company_size"] is None
    assert record["enrollee_id"] is None


def test_a_rerun_and_a_second_press_store_nothing_twice(api):
    app = press(press(opened("single"), "Try an example"), "Predict")
    app.run()
    press(app, "Predict")
    assert len(api.rows) == 1
    assert "This candidate" in words_of(app)


def test_another_visit_may_store_the_same_record_again(api):
    for _ in range(2):
        press(press(opened("single"), "Try an example"), "Predict")
    assert len(api.rows) == 2


def test_a_value_that_the_contract_does_not_admit_is_named_and_not_sent(api):
    app = press(opened("single"), "Try an example")
    app.text_input(key="field-enrollee_id").set_value("seven")
    press(app, "Predict")
    assert "Enrollee: a whole number from 1" in app.warning[0].value
    assert api.asked("/predict") == []


def test_required_fields_left_empty_are_named_and_not_sent(api):
    app = press(opened("single"), "Predict")
    assert all(f"{label}: " in app.warning[0].value for label in ("City", "Relevant experience"))
    assert api.asked("/predict") == []


def test_clearing_empties_the_form_and_puts_the_answer_away(api):
    app = press(press(opened("single"), "Try an example"), "Predict")
    press(app, "Clear")
    assert app.selectbox(key="field-city").value is None
    assert not app.table


def test_the_cities_that_the_model_knows_are_offered(api):
    city = opened("single").selectbox(key="field-city")
    assert city.options[:2] == ["city_1", "city_2"]
    assert len(city.options) == 123


# --- a file ------------------------------------------------------------------------------------


def test_a_file_is_checked_before_anything_is_sent(api):
    damaged = example_record(3) | {"gender": "female"}
    app = uploaded(csv_of([example_record(0), example_record(1), damaged]))
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts == {"Rows": "3", "Can be predicted": "2", "Cannot be predicted": "1"}
    assert api.asked("/predict") == []


def test_damaged_rows_are_listed_with_row_column_reason_and_repair(api):
    app = uploaded(csv_of([example_record(0), example_record(1) | {"gender": "female"}]))
    [damage] = app.table[-1].value.to_dict("records")
    assert damage["Row"] == "2"
    assert damage["Column"] == "gender"
    assert damage["Suggested"] == "Female"
    assert damage["Reason"].startswith("not a known value")


def test_good_rows_are_predicted_in_one_partial_request_and_shown(api):
    app = press(
        uploaded(
            csv_of([example_record(0), example_record(1) | {"gender": "?"}, example_record(2)])
        ),
        "Predict 2 candidates",
    )
    [request] = api.asked("/predict")
    assert request.body["partial"] is True
    assert [record["training_hours"] for record in request.body["records"]] == [10, 36]
    frame = app.dataframe[0].value
    assert list(frame["Row"]) == [1, 3]
    assert list(frame["Enrollee"]) == [100, 102]
    stored = [row["prediction"] for row in api.rows]
    assert list(frame["Probability"]) == [round(told["probability"], 3) for told in stored]
    answers = [["Yes"] if told["prediction"] else ["No"] for told in stored]
    assert [list(answer) for answer in frame["Looking for a new job"]] == answers


def test_a_file_without_an_id_is_shown_without_one(api):
    anonymous = csv_of([example_record(2)]).replace(b"enrollee_id", b"badge")
    frame = press(uploaded(anonymous), "Predict 1 candidate").dataframe[0].value
    assert list(frame)[:3] == ["Row", "Looking for a new job", "Probability"]
    assert "Enrollee" not in frame


def test_reruns_and_a_second_upload_of_the_same_content_store_nothing_twice(api):
    content = csv_of([example_record(n) for n in range(4)])
    app = press(uploaded(content), "Predict 4 candidates")
    app.run()
    assert len(api.asked("/predict")) == 1
    again = press(uploaded(content, "copy.csv"), "Predict 4 candidates")
    assert len(api.rows) == 4
    assert "predicted before" in words_of(again)


def test_the_same_content_is_predicted_anew_by_another_model(api, monkeypatch):
    content = csv_of([example_record(0)])
    press(uploaded(content), "Predict 1 candidate")
    with FakeApi() as other:
        other.version = "lgbm-ffffffffffff"
        other.answers = api.answers
        monkeypatch.setenv("API_URL", other.address)
        press(uploaded(content), "Predict 1 candidate")
        assert len(other.rows) == 1


def test_a_large_file_goes_in_chunks_each_under_its_own_key(api):
    content = csv_of([example_record(n) for n in range(5_001)])
    app = press(uploaded(content), "Predict 5,001 candidates")
    requests = api.asked("/predict")
    assert [len(request.body["records"]) for request in requests] == [5_000, 1]
    assert len({request.key for request in requests}) == 2
    assert list(app.dataframe[0].value["Row"]) == list(range(1, 5_002))


def test_rows_that_the_api_refuses_are_listed_with_the_others(api, monkeypatch):
    refusal = {
        "record": 2,
        "errors": [
            {
                "field": "city",
                "rule": "length",
                "value": "x",
                "allowed": "",
                "nearest": None,
                "message": "city is too long",
            }
        ],
    }
    answer = api.predict

    def refusing(body, key):
        good = answer(body | {"records": body["records"][::2]}, key)
        return good | {"refused": [refusal]}

    monkeypatch.setattr(api, "predict", refusing)
    app = press(uploaded(csv_of([example_record(n) for n in range(3)])), "Predict 3 candidates")
    assert list(app.dataframe[0].value["Row"]) == [1, 3]
    [damage] = app.table[-1].value.to_dict("records")
    assert (damage["Row"], damage["Reason"]) == ("2", "city is too long")


def test_a_file_without_a_required_column_is_refused_with_the_cure(api):
    app = uploaded(b"city,training_hours\na,1\n")
    assert "which every row needs" in app.error[0].value
    assert not app.metric


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.csv", b""),
        ("people.csv", b"name;age\n"),
        ("people.xlsx", b"PK\x03\x04"),
        ("people.png", b"\x89PNG"),
    ],
)
def test_a_file_that_is_no_csv_is_explained_whatever_its_name(api, name, content):
    app = uploaded(content, name)
    assert app.error[0].value
    # The same file would be read the same: to try again is no way out.
    assert "Try again" not in [button.label for button in app.button]


def test_a_file_with_a_header_and_no_rows_says_so(api):
    app = uploaded(csv_of([]))
    assert "no rows" in words_of(app)
    assert not app.metric


def test_a_file_of_damaged_rows_only_offers_nothing_to_predict(api):
    app = uploaded(csv_of([example_record(0) | {"gender": "?"}]))
    assert not [button for button in app.button if button.label.startswith("Predict")]


def test_text_of_the_file_is_shown_as_it_stands_and_never_as_markup(api):
    app = uploaded(csv_of([example_record(0) | {"gender": "[x](javascript:alert(1)) <b>"}]))
    assert app.table[-1].value["Found"][0] == r"\[x\]\(javascript\:alert\(1\)\) \<b\>"


# --- what was predicted ------------------------------------------------------------------------


def test_no_predictions_yet_is_said_with_what_makes_some(api):
    assert "Nothing has been predicted yet" in words_of(opened("past_predictions"))


def test_past_predictions_are_paged_older_and_newer(api):
    for position in range(150):
        api.keep(example_record(position), "scheduled")
    app = opened("past_predictions")
    first = app.dataframe[0].value
    assert len(first) == 100
    assert "1 to 100" in words_of(app)
    press(app, "Older")
    assert len(app.dataframe[0].value) == 50
    assert "101 to 150" in words_of(app)
    press(app, "Newer")
    assert app.dataframe[0].value.equals(first)


def test_a_source_is_chosen_and_the_download_follows_it(api):
    api.keep(example_record(0), "webapp")
    api.keep(example_record(1), "scheduled")
    app = opened("past_predictions")
    app.segmented_control[0].set_value("webapp").run()
    assert list(app.dataframe[0].value["Source"]) == ["Web app"]
    [link] = app.link_button
    assert link.url == "https://public.example/past-predictions?source=webapp&format=csv"


def test_a_new_question_starts_at_the_newest_page(api):
    for position in range(150):
        api.keep(example_record(position), "scheduled")
    app = press(opened("past_predictions"), "Older")
    app.segmented_control[0].set_value("scheduled").run()
    assert "1 to 100" in words_of(app)


def test_days_in_the_wrong_order_are_pointed_out_and_not_asked_for(api):
    app = opened("past_predictions")
    asked = len(api.requests)
    app.date_input[0].set_value(api.now.date())
    app.date_input[1].set_value(api.now.date().replace(year=2020)).run()
    assert "after the last" in app.warning[0].value
    assert len(api.requests) == asked


def test_no_match_is_told_from_nothing_at_all(api):
    api.keep(example_record(0), "webapp")
    app = opened("past_predictions")
    app.segmented_control[0].set_value("scheduled").run()
    assert "No predictions match" in words_of(app)


# --- files that came in ------------------------------------------------------------------------


def test_no_files_yet_is_said_with_what_brings_some(api):
    assert "No file has come in yet" in words_of(opened("ingestion"))


def test_files_are_listed_with_their_rows_criticality_and_report(api):
    api.runs = example_runs(api.now)
    app = opened("ingestion")
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["Files"] == "12"
    [table] = app.table
    third = table.value.iloc[2]
    assert (third["Good"], third["Bad"]) == ("560", "110")
    assert third["Criticality"] == ":orange-badge[medium]"
    assert third["Most frequent fault"] == r"Training time\: out of range in 110 rows"
    assert third["Report"].startswith("[Open report](https://public.example/reports/")
    assert "repeated content" in table.value.iloc[4]["Criticality"]


def test_rows_of_repeated_content_are_counted_once(api):
    good, damaged = example_runs(api.now)[0], example_runs(api.now)[2]
    api.runs = [good | {"duplicate_of": damaged["run_id"]}, damaged]
    counts = {metric.label: metric.value for metric in opened("ingestion").metric}
    assert (counts["Files"], counts["Rows"], counts["Good rows"]) == ("2", "670", "84%")


def test_a_fault_of_every_row_is_told_as_one_of_the_whole_file(api):
    run = example_runs(api.now)[0] | {"rows_total": 230, "rows_valid": 0, "rows_invalid": 230}
    issue = {"rule": "missing column", "column": "city", "rows": 230}
    api.runs = [run | {"issues": [issue]}]
    [table] = opened("ingestion").table
    assert table.value["Most frequent fault"][0] == r"City\: missing column in every row"


def test_a_files_name_is_shown_as_it_stands_and_never_as_markup(api):
    api.runs = [example_runs(api.now)[0] | {"file": ":red[x] $1$.csv"}]
    assert opened("ingestion").table[0].value["File"][0] == r"\:red\[x\] \$1\$\.csv"
