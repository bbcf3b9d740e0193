"""What programs may call: segment pictures, decide again, list pipelines; and whether the app is well."""

# No lazy annotations here: Gradio reads the types of these functions to describe the endpoints.
import base64
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic
from typing import Any

from benchmarks import rle
from benchmarks.export.coco import compressed
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from benchmarks.scoring import instances
from pipelines.errors import PromptError, ResourceError, UsageError
from pipelines.types import Image, Prompt
from workbench.catalogue import Order
from workbench.door.calling import called_off, endable
from workbench.files.shelf import Shelf
from workbench.files.taken import understood
from workbench.given import addresses
from workbench.given.pointing import bounded
from workbench.given.uploads import from_base64, open_bytes, open_upload
from workbench.looks.process import check
from workbench.plainly import plainly, words
from workbench.service import Card, Service

MOST_PICTURES, MOST_KEPT = 16, 200
Json = dict[str, Any]


@dataclass
class Kept:
    """Cards that programs may decide again, by a number that nobody guesses; the oldest are dropped first.

    Attributes:
        forget: told of each number that is dropped.
        held: number → card without masks, and the picture it was made of.
    """

    forget: Callable[[str], None]
    held: OrderedDict[str, Card] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def put(self, number: str, card: Card) -> None:
        """Keep a card without what takes room."""
        with self.lock:
            self.held[number] = replace(card, prediction=None, soft=None)
            self.held.move_to_end(number)
            old = [self.held.popitem(last=False)[0] for _ in range(len(self.held) - MOST_KEPT)]
        for one in old:
            self.forget(one)

    def get(self, number: str) -> Card:
        """The card of a number.

        Raises:
            UsageError: there is none, or not any more.
        """
        with self.lock:
            if number not in self.held:
                raise UsageError("There is no result of that id, or it is no longer kept.", "Call segment again.")
            return self.held[number]


@dataclass(frozen=True)
class Endpoints:
    """The functions behind the endpoints.

    Attributes:
        service: looks and decides.
        shelf: in whose folder uploads lie.
        kept: what may be decided again.
    """

    service: Service
    shelf: Shelf
    kept: Kept

    def pipelines(self) -> list[Json]:
        """List the pipelines: name, title, prompts, presets, why one cannot run here, and its fields with bounds.

        Returns:
            One object for each pipeline.
        """
        return [{"name": one.name, "title": one.title, "prompts": sorted(one.prompts), "presets": list(one.presets),
                 "unavailable": one.reason,
                 "fields": [{"name": knob.name, "kind": knob.kind, "default": knob.default, "bounds": knob.bounds,
                             "reads": knob.reads, "help": knob.help} for knob in one.knobs]}
                for one in self.service.offers()]  # fmt: skip

    def segment(self, image: dict[str, Any] | str, pipeline: str = "classical", preset: str = "default",
                prompt: list[str] | None = None, boxes: list[list[float]] | None = None,
                points: list[list[float]] | None = None, fields: dict[str, Any] | None = None) -> Json:  # fmt: skip
        """Segment one picture with one pipeline.

        Args:
            image: an uploaded file, an https address, or the bytes of a picture file as base64 or data: address
            pipeline: name, as pipelines lists it
            preset: name of the parameter set to start from
            prompt: texts to look for, one for each label
            boxes: x0, y0, x1, y1 in pixels
            points: x, y, label in pixels; label 1 is on the object and 0 beside it
            fields: values that differ from the preset, by name

        Returns:
            status, reason, id for decide, mask_png as base64, rle of the union of the masks, instances, facts
        """
        wanted = _order(pipeline, preset, fields)
        return self._segmented(self.opened(image), _prompt(prompt, boxes, points), wanted)

    def segment_many(self, images: list[Any], pipeline: str = "classical", preset: str = "default",
                     prompt: list[str] | None = None, fields: dict[str, Any] | None = None) -> list[Json]:  # fmt: skip
        """Segment up to 16 pictures with one pipeline. A picture that is refused takes no other along.

        Args:
            images: each an uploaded file, an https address, or base64
            pipeline: name, as pipelines lists it
            preset: name of the parameter set to start from
            prompt: texts to look for, one for each label
            fields: values that differ from the preset, by name

        Returns:
            what segment returns, for each picture
        """
        if not 0 < len(images) <= MOST_PICTURES:
            raise UsageError(f"There are {len(images)} pictures.", f"Give 1 to {MOST_PICTURES} in one call.")
        wanted, asked = _order(pipeline, preset, fields), _prompt(prompt, None, None)
        until = monotonic() + self.service.limits.look_s
        return [self._tried(image, asked, wanted, until) for image in images]

    def _tried(self, image: Any, prompt: Prompt, order: Order, until: float) -> Json:
        """One of several pictures; after a time none is begun, since others wait for the only worker there may be."""
        check(called_off())  # nobody waits for the others either
        try:
            if monotonic() >= until:
                raise ResourceError(f"It was not begun: a call may take {self.service.limits.look_s:g} s, and they are "
                                    "over.", "Send it again, with fewer pictures in a call.")  # fmt: skip
            return self._segmented(self.opened(image), prompt, order)
        except Exception as error:
            return {"status": "failed", "reason": words(error)}

    def _segmented(self, image: Image, prompt: Prompt, order: Order) -> Json:
        number = secrets.token_urlsafe(16)
        card = self.service.look(number, image, prompt, order, called_off())
        if card.status != "ok":
            return {"status": card.status, "reason": card.reason, **_facts(card)}
        self.kept.put(number, card)
        return {"id": number, **answer(card)}

    def decide(self, id: str, fields: dict[str, Any], instances: bool = False) -> Json:
        """Decide a result anew with other values of fields that a decision reads; nothing is looked at again.

        Args:
            id: that segment returned
            fields: values by name
            instances: whether to return each mask beside their union, which takes longer

        Returns:
            what segment returns
        """
        card = self.service.decide(self.kept.get(id), fields, soft=False)
        if card.status != "ok":
            return {"status": card.status, "reason": card.reason, **_facts(card)}
        self.kept.put(id, card)
        return {"id": id, **answer(card, each=instances)}

    def opened(self, image: Any) -> Image:
        """The picture that was sent, ``uint8 (H, W, 3)``.

        Raises:
            WorkbenchError: it is refused, and why.
        """
        if isinstance(image, dict) and isinstance(image.get("path"), str):
            return open_upload(image["path"], self.shelf.folder)
        if not isinstance(image, str):
            raise UsageError("The picture is neither a file nor a text.", "Send an upload, an https address or base64.")
        if "://" in image[:12]:
            return open_bytes(addresses.fetch(image))
        return from_base64(image)


def answer(card: Card, *, each: bool = True) -> Json:
    """What a program is told of a card that has a result.

    Run lengths are COCO's text: as numbers there may be a million of them, and Gradio goes through a list one by one.

    Args:
        card: that has one.
        each: whether of each mask beside their union; large pictures with many take longer.
    """
    prediction, mask = card.prediction, card.foreground
    assert prediction is not None and mask is not None  # its status is "ok"
    found = [{"label": one.label, "score": one.score, "mask": compressed(one.mask), "text": _text(card, one.label)}
             for one in instances(prediction)] if each else None  # fmt: skip
    return {"status": "ok", "reason": None, "mask_png": base64.b64encode(png(mask_pixels(mask))).decode(),
            "rle": compressed(rle.encode(mask)), "found": len(prediction.masks), "instances": found,
            **_facts(card)}  # fmt: skip


def _text(card: Card, label: int) -> str | None:
    texts = understood(card).texts
    return texts[label] if label < len(texts) else None


def _facts(card: Card) -> Json:
    ran = card.configuration
    return {"pipeline": ran.pipeline, "preset": ran.preset, "params": ran.params, "device": ran.device,
            "prompt": card.prompt.to_json(), "substitute_for": ran.substitute_for, "flags": list(card.flags),
            "weights": [{"repo": one.repo, "revision": one.revision, "licence": one.licence,
                         "commercial": one.commercial} for one in card.weights],
            "load_ms": card.load_ms, "infer_ms": card.infer_ms, "decide_ms": card.decide_ms}  # fmt: skip


def _prompt(texts: list[str] | None, boxes: list[list[float]] | None, points: list[list[float]] | None) -> Prompt:
    try:
        whole = tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in boxes or ())
        on = tuple((float(x), float(y), int(label)) for x, y, label in points or ())
        said = tuple(str(text) for text in ([texts] if isinstance(texts, str) else texts or ()))
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError("A box or a point is not as it must be.",
                          "Give boxes as [x0, y0, x1, y1], and points as [x, y, 0 or 1].") from error  # fmt: skip
    return bounded(Prompt(said, whole, on))


def _order(pipeline: str, preset: str, fields: Any) -> Order:
    if fields is not None and not isinstance(fields, dict):
        raise UsageError("The fields are no object.", 'Give values by name, such as {"threshold": 0.7}, or null.')
    return Order(pipeline, preset, fields or None)


def attach(service: Service, shelf: Shelf, looks: Json, quick: Json) -> Kept:
    """Name the endpoints, inside a Gradio context.

    Args:
        service: looks and decides.
        shelf: in whose folder uploads lie.
        looks: how many looks there may be at one time, as Gradio takes it.
        quick: the same of what looks at nothing.

    Returns:
        What may be decided again.
    """
    from gradio.context import Context
    from gradio.events import api

    kept = Kept(service.forget)
    called, demo = Endpoints(service, shelf, kept), Context.root_block
    for slow in (called.segment, called.segment_many):
        api(endable(plainly(slow), lambda: _is_awaited(demo)), api_name=slow.__name__, **looks)
    for fast in (plainly(called.decide), plainly(called.pipelines)):
        api(fast, api_name=fast.__name__, **quick)
    return kept


def _is_awaited(demo: Any) -> bool:
    """Whether whoever asked for the call that runs here still listens; one who did not begin to may yet come."""
    from gradio.context import LocalContext

    event = demo._queue.event_ids_to_events.get(LocalContext.event_id.get(None))
    return event is None or event.alive


def health(app: Any, state: Callable[[], Json]) -> None:
    """Answer ``/healthz`` on the app that is served, before any other route is asked.

    Args:
        app: that Gradio's ``launch`` returned.
        state: what is told beside that it is well.
    """
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def healthz(request: Any) -> JSONResponse:
        return JSONResponse({"status": "ok", **state()})

    app.router.routes.insert(0, Route("/healthz", healthz, methods=["GET", "HEAD"]))
