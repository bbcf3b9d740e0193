"""The tab Compare: a form, a desk, and which event of the one calls what of the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from pipelines.images.sniff import sniff
from workbench.examples import Example, example, examples
from workbench.files.shelf import Shelf
from workbench.given import addresses
from workbench.service import Service
from workbench.settings import Settings
from workbench.tabs import form as forms
from workbench.tabs.controls import values_of
from workbench.tabs.desk import Desk
from workbench.tabs.events import ADDRESSES, LOOKS, on
from workbench.tabs.form import RUN_AGAIN, Form, Slot
from workbench.tabs.results import Results
from workbench.visitors import Visits

INTO_VIEW = "() => { document.getElementById('status').scrollIntoView({ block: 'start' }); }"
"""Results lie below what is asked, often below the edge of the screen."""


def build(service: Service, visits: Visits, shelf: Shelf, settings: Settings) -> Desk:
    """The tab with all that happens in it, inside a Gradio context.

    Args:
        service: looks and decides.
        visits: what visitors have open.
        shelf: where files are given out from.
        settings: how many looks there may be at one time.
    """
    form = forms.build(service.offers(), list(examples().values()))
    desk = Desk(service, visits, shelf, form, Results(service, visits, shelf, form))
    _inputs(form, desk)
    _runs(form, desk, settings)
    _results(form, desk)
    for slot in form.slots:
        _slot(form, slot, desk)
    return desk


def _inputs(form: Form, desk: Desk) -> None:
    shown = [form.picture, form.pointer, form.points, form.status, form.agreement, form.agreed, form.bundle]
    shown += [part for slot in form.slots for part in (slot.picture, slot.facts, slot.file)]
    on(form.picture.change, desk.received, form.picture, shown)
    on(form.picture.input, _unknown, None, form.truth)
    taken = [form.picture, form.truth, form.prompt]
    for name, button in form.examples.items():
        on(button.click, desk.take(name), None, taken)
    for asks in (form.fetch.click, form.url.submit):  # in a line of their own: hosts that are slow hold up nobody else
        on(asks, partial(_fetched, desk.shelf), form.url, [form.picture, form.truth], show_progress="minimal",
           concurrency_id=ADDRESSES)  # fmt: skip
    on(form.pointer.select, desk.point, [form.points, form.mode], [form.points, form.pointer])
    on(form.points.blur, desk.mark, form.points, [form.pointer, form.status])


def _taken(shelf: Shelf, name: str) -> tuple[str, str, str]:
    chosen: Example = example(name)
    return (*chosen.put(shelf), chosen.prompt)


def _fetched(shelf: Shelf, url: str) -> tuple[str, None]:
    data = addresses.fetch(url or "")
    return shelf.put(f"fetched.{(sniff(data) or 'picture').lower()}", data), None


def _unknown() -> None:
    """No true mask: that of the picture before would be taken for that of the new one."""


def _runs(form: Form, desk: Desk, settings: Settings) -> None:
    looks = {
        "concurrency_id": LOOKS,
        "concurrency_limit": settings.at_once,
        "show_progress": "minimal",
        "show_progress_on": form.status,
    }
    chosen = [part for slot in form.slots for part in (slot.chosen, *slot.order)]
    runs = [on(form.run.click, desk.compare, [*form.asked, *form.look, *chosen], _outputs(form), **looks)]
    for slot in form.slots:
        asked = [*form.asked, *form.look, *slot.order]
        runs.append(on(slot.again.click, desk.again(slot), asked, _outputs(form), **looks))
    on(form.run.click, None, js=INTO_VIEW)
    on(form.stop.click, desk.stop, None, _outputs(form))
    on(form.stop.click, None, cancels=runs)  # those that wait for their turn


def _outputs(form: Form) -> list[Any]:
    """All that a run may change."""
    parts = [form.status, form.agreement, form.agreed, form.bundle]
    return parts + [part for slot in form.slots for part in (slot.picture, slot.facts, slot.file, slot.note)]


def _results(form: Form, desk: Desk) -> None:
    shown = [form.status, *(part for slot in form.slots for part in (slot.picture, slot.facts))]
    parts = (form.view, form.ground, form.opacity, form.wipe, form.truth, form.cut)
    changes = partial(gr.on, [part.change for part in parts])  # one event: of two the older could be answered last
    on(changes, desk.view, [form.picture, form.truth, form.cut, *form.look], shown, trigger_mode="always_last")
    on(form.prepare.click, desk.all_files, None, form.bundle, show_progress="minimal")


def _slot(form: Form, slot: Slot, desk: Desk) -> None:
    on(slot.chosen.change, _visible, slot.chosen, slot.column)
    on(slot.kind.change, desk.file(slot), slot.kind, slot.file, show_progress="minimal")  # input comes twice
    if not slot.offer.knobs:
        return
    chosen = partial(gr.on, [slot.preset.change, slot.preset.select])  # select: the same once more, by the mouse
    on(chosen, partial(_preset, slot), slot.preset, [*slot.knobs.values(), slot.note], trigger_mode="always_last")
    outputs = [slot.picture, slot.facts, slot.file, slot.note, form.agreement, form.agreed, form.bundle]
    decided = slot.decided.values()
    if decided:
        on(partial(gr.on, [part.input for part in decided]), desk.decide(slot), [*form.look, *decided], outputs,
           trigger_mode="always_last")  # fmt: skip
    slow = [part.change if isinstance(part, gr.Dropdown) else part.input  # a list's input comes when it is left, too
            for name, part in slot.knobs.items() if name not in slot.decided]  # fmt: skip
    if slow:
        on(partial(gr.on, slow), _stale, None, slot.note)


def _visible(chosen: bool) -> Any:
    return gr.update(visible=chosen)


def _stale() -> str:
    return RUN_AGAIN


def _preset(slot: Slot, name: str) -> list[Any]:
    """A preset's value for each knob."""
    values = values_of(slot.offer, name)
    return [*(values[field] for field in slot.knobs), RUN_AGAIN]


def link(form: Form, shelf: Shelf) -> tuple[Callable[..., Any], list[Any]]:
    """What is done when the page is opened by a link such as ``?example=coins&pipelines=classical&prompt=coin``.

    Args:
        form: that it fills.
        shelf: where files are given out from.

    Returns:
        A callback and its outputs.
    """

    def opened(request: gr.Request) -> dict[Any, Any]:
        asked = dict(request.query_params)
        found: dict[Any, Any] = {form.prompt: gr.skip()}
        if "example" in asked:
            found[form.picture], found[form.truth], found[form.prompt] = _taken(shelf, asked["example"])
        if "prompt" in asked:
            found[form.prompt] = asked["prompt"].replace(",", "\n")
        if "pipelines" in asked:
            wanted = {name.strip() for name in asked["pipelines"].split(",")}
            found |= {slot.chosen: slot.offer.name in wanted and slot.offer.reason is None for slot in form.slots}
        return found

    return opened, [form.picture, form.truth, form.prompt, *(slot.chosen for slot in form.slots)]
