"""The endpoints as programs call them: by gradio_client and by plain HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pycocotools import mask as rle_mask

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.types import Prediction, Prompt
from tests.workbench.acting import configuration
from tests.workbench.apps import Running, running
from workbench.catalogue import Place
from workbench.files.shelf import Shelf
from workbench.given import addresses
from workbench.looks.pool import Limits
from workbench.routes import MOST_KEPT, Endpoints, Kept, answer
from workbench.service import Card, Service

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning",
                                        "ignore:__array__ implementation:DeprecationWarning")  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture(scope="module")
def client(app: Running) -> Client:
    return Client(app.url, verbose=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photo.png").write_bytes(png(SAMPLE.image))
    return tmp_path / "photo.png"


SAMPLE = next(iter(open_dataset("coins")))


def text_of(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_an_upload_is_segmented_as_a_plain_call_does(client: Client, photo: Path) -> None:
    found = client.predict(image=handle_file(photo), pipeline="classical", api_name="/segment")
    with create("classical") as plain:
        (expected,) = plain.predict([SAMPLE.image], [Prompt()])
    assert base64.b64decode(found["mask_png"]) == png(mask_pixels(expected.foreground()))
    assert np.array_equal(rle_mask.decode(found["rle"]).astype(bool), expected.foreground())
    union = np.any([rle_mask.decode(one["mask"]) for one in found["instances"]], axis=0)
    assert np.array_equal(union, expected.foreground())
    assert len(found["instances"]) == len(expected.masks) and found["params"]["threshold"] == 0.5
    assert found["status"] == "ok" and found["infer_ms"] > 0 and found["device"] == "cpu" and found["weights"] == []


def test_decide_again_needs_the_id_alone(client: Client, photo: Path) -> None:
    found = client.predict(image=text_of(photo), pipeline="acting", api_name="/segment")
    other = client.predict(id=found["id"], fields={"threshold": 0.1}, api_name="/decide")
    assert other["infer_ms"] == found["infer_ms"]
    assert rle_mask.area(other["rle"]) > rle_mask.area(found["rle"])
    assert other["instances"] is None and other["found"] == 1
    whole = client.predict(id=found["id"], fields={"threshold": 0.1}, instances=True, api_name="/decide")
    assert whole["mask_png"] == other["mask_png"] and len(whole["instances"]) == 1
    with pytest.raises(AppError, match="A change of gain needs another look"):
        client.predict(id=found["id"], fields={"gain": 2}, api_name="/decide")
    with pytest.raises(AppError, match="no result of that id"):
        client.predict(id="guessed", fields={}, api_name="/decide")


def test_an_address_is_fetched_by_us_in_every_form(
    client: Client, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return photo.read_bytes()

    monkeypatch.setattr(addresses, "fetch", fetch)
    url = "https://pictures.example.com/a.png"
    forms = (url, {"path": url, "meta": {"_type": "gradio.FileData"}})
    found = [client.predict(image=form, pipeline="acting", api_name="/segment") for form in forms]
    assert found[0]["mask_png"] == found[1]["mask_png"] and asked == [url, url]


@pytest.mark.parametrize(("image", "words"), [
    ("hello!", "not base64"),
    ("https://127.0.0.1/a.png", "no public host"),
    ({"path": "https://169.254.169.254/latest", "meta": {"_type": "gradio.FileData"}}, "no public host"),
    ({"path": "/etc/passwd"}, "no such picture"),
    ("data:image/svg+xml;base64,PHN2Zy8+", "SVG"),
    ("file:///etc/passwd", "begin with https"),
])  # fmt: skip
def test_what_is_refused_is_refused_in_words(client: Client, image: Any, words: str) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(image=image, pipeline="acting", api_name="/segment")


def test_one_that_fails_or_cannot_run_is_an_answer_with_its_reason(client: Client, photo: Path) -> None:
    asked = {"acting": {"act": "raise"}, "sam3": None, "nobody": None}
    found = {name: client.predict(image=text_of(photo), pipeline=name, prompt=["coin"] if name == "sam3" else None,
                                  fields=fields, api_name="/segment") for name, fields in asked.items()}  # fmt: skip
    assert [one["status"] for one in found.values()] == ["failed", "unavailable", "failed"]
    assert "the bulb is broken" in found["acting"]["reason"] and "no pipeline 'nobody'" in found["nobody"]["reason"]


def test_several_pictures_in_one_call(client: Client, photo: Path) -> None:
    sent = [handle_file(photo), text_of(photo), "hello!"]
    found = client.predict(images=sent, pipeline="acting", api_name="/segment_many")
    assert [one["status"] for one in found] == ["ok", "ok", "failed"] and "not base64" in found[2]["reason"]
    with pytest.raises(AppError, match="Give 1 to 16"):
        client.predict(images=["x"] * 17, api_name="/segment_many")


def test_pipelines_are_listed_with_their_fields(client: Client) -> None:
    found = {one["name"]: one for one in client.predict(api_name="/pipelines")}
    assert found["acting"]["unavailable"] is None and found["sam3"]["unavailable"]
    assert {"name": "threshold", "kind": "float", "default": 0.5, "bounds": "0 to 1", "reads": "decide",
            "help": "Cut."} in found["acting"]["fields"]  # fmt: skip


def test_every_endpoint_says_what_it_takes_and_no_other_is_named(app: Running, client: Client) -> None:
    described = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(described) == ["/decide", "/pipelines", "/segment", "/segment_many"]
    taken = {one["parameter_name"]: one for one in described["/segment"]["parameters"]}
    assert list(taken) == ["image", "pipeline", "preset", "prompt", "boxes", "points", "fields"]
    assert taken["pipeline"]["parameter_default"] == "classical" and taken["fields"]["parameter_has_default"]


def test_plain_http_as_curl_sends_it(app: Running, photo: Path) -> None:
    call = f"{app.url}gradio_api/call/segment"
    data = json.dumps({"data": [text_of(photo), "acting", "default", None, None, None, {"threshold": 0.1}]}).encode()
    with urlopen(Request(call, data, {"Content-Type": "application/json"})) as answer:
        number = json.load(answer)["event_id"]
    with urlopen(f"{call}/{number}") as answer:
        lines = answer.read().decode().splitlines()
    assert lines[0] == "event: complete"
    (found,) = json.loads(lines[1].removeprefix("data: "))
    mask = cv2.imdecode(np.frombuffer(base64.b64decode(found["mask_png"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask.shape == SAMPLE.size and set(np.unique(mask)) <= {0, 255}


def test_a_mask_of_a_million_runs_is_no_list_that_gradio_would_walk() -> None:
    noise = np.random.default_rng(0).random((1600, 1600)) > 0.5
    found = Prediction(noise[None], np.ones(1), np.zeros(1, int), np.array([[0.0, 0.0, 1600.0, 1600.0]]))
    told = answer(replace(Card(configuration(), "ok"), prediction=found))
    assert max(lengths(told)) <= 100
    for form in (told["rle"], told["instances"][0]["mask"]):
        assert form["size"] == [1600, 1600] and np.array_equal(rle_mask.decode(form).astype(bool), noise)


def lengths(told: Any) -> Iterator[int]:
    """Of all lists and objects, however deep."""
    if isinstance(told, dict | list | tuple):
        yield len(told)
        for one in told.values() if isinstance(told, dict) else told:
            yield from lengths(one)


def test_several_pictures_have_one_time_for_all_of_them(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 50.0, 61.0, 62.0])
    monkeypatch.setattr("workbench.routes.monotonic", lambda: next(now))
    with Service(Place(device="cpu"), Limits(look_s=60)) as service:
        monkeypatch.setattr(service, "look", lambda *given: Card(configuration(), "failed", "It was begun."))
        called = Endpoints(service, Shelf(photo.parent), Kept(service.forget))
        found = called.segment_many([text_of(photo)] * 4)
    assert [one["reason"] == "It was begun." for one in found] == [True, True, False, False]
    assert found[2] == {"status": "failed", "reason": "It was not begun: a call may take 60 s, and they are over. "
                        "Send it again, with fewer pictures in a call."}  # fmt: skip


def test_no_more_results_are_kept_than_there_is_room_for() -> None:
    forgotten: list[str] = []
    kept = Kept(forgotten.append)
    card = Card(configuration(), "ok")
    for number in range(MOST_KEPT + 3):
        kept.put(str(number), card)
    assert forgotten == ["0", "1", "2"] and len(kept.held) == MOST_KEPT
