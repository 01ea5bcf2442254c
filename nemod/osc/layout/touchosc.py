"""A layout for TouchOSC (`.tosc`), written with py2tosc.

Every control has the address that it shows, and the layout subscribes by itself: a script at its
root sends `/nemo/subscribe` when it is opened and every 20 s. Host and port are not in the file;
TouchOSC's connections have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import py2tosc
from py2tosc import AlignH, ButtonType, Control, Conversion, Orientation, OscMessage, ui

from nemod.common.files import replacing
from nemod.osc.addresses.flags import Flag
from nemod.osc.layout.pages import Files, Item, Slot, face, slots, split
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.parameter_set import ParameterSet

PRESETS = 8
"""Buttons for presets, and for snapshots."""
RENEW_MS = 20_000
"""[ms] After which the subscription, which holds for 60 s, is renewed."""
_AMBER, _GREEN, _GREY, _DARK = "#f0a030", "#3fb871", "#5b6167", "#1c1e20"
_SCRIPT = """\
-- Subscribes to nemod: everything as it is now, and every change.
local sent = -{renew}

local function subscribe()
  sendOSC({{ '/nemo/subscribe', {{ {arguments} }} }})
  sent = getMillis()
end

function init()
  subscribe()
end

function update()
  if getMillis() - sent > {renew} then
    subscribe()
  end
end
"""


@dataclass(frozen=True, slots=True)
class Size:
    """A kind of screen."""

    width: int
    height: int
    columns: int
    """Knobs of the face beside each other."""
    rows: int
    """Rows of faders on a page, in each of its columns."""
    fader_columns: int
    is_beside: bool
    """A knob stands beside its text, not between."""


SIZES = {
    "phone": Size(400, 800, 2, 11, 1, True),
    "tablet": Size(1024, 768, 4, 11, 2, False),
}
"""By the names that `nemod layout --size` takes."""


def document(
    size: Size, parameters: ParameterSet | None = None, *, port: int | None = None
) -> py2tosc.Document:
    """Return a layout of this size for these parameters, those of the default chain if None.

    `port`: where the program receives, if that is not the port that it sends from.
    """
    known = parameters or ParameterSet()
    pages = [_page("Amp", _face_page(size, known))]
    columns = list(split(slots(known), size.rows))
    for at in range(0, len(columns), size.fader_columns):
        shown = columns[at : at + size.fader_columns]
        title = _titles([slot for column in shown for slot in column])
        pages.append(_page(title, _fader_page(size, shown)))
    pages += [_page("Presets", _preset_page()), _page("Tuner", _tuner_page(known))]
    root = ui.column(
        _header(),
        ui.pager(*pages, name="pages", tabbar_size=44, text_size_on=15, text_size_off=15),
        _footer(),
        sizes=(9, 78, 9),
        gap=4,
        pad=4,
        frame=(0, 0, size.width, size.height),
        name="nemod",
        color=_DARK,
        script=_script(port),
    )
    made = py2tosc.Document(root=root)
    made.resolve()
    return made


def write(
    path: Path, size: Size, parameters: ParameterSet | None = None, *, port: int | None = None
) -> None:
    """Write a layout, replacing the file at once. Arguments: see `document`. Raises: OSError."""
    made = document(size, parameters, port=port)
    with replacing(path) as draft:
        made.save(draft, validate=True)  # whose suffix stands for a .tosc


def _script(port: int | None) -> str:
    wanted = (Flag.PARAMS, Flag.TEXT, Flag.STATUS, Flag.METERS, Flag.TUNER)
    arguments = [f"{{ tag = 's', value = '{flag}' }}" for flag in wanted]
    if port is not None:
        arguments.insert(0, f"{{ tag = 'i', value = {port} }}")
    return _SCRIPT.format(renew=RENEW_MS, arguments=", ".join(arguments))


# --- pages ---------------------------------------------------------------------------------------


def _page(title: str, content: Control) -> Control:
    # Tabs are narrow: a page's name is shown in full on the page.
    return ui.stack(content, name=title, tab_label=title, outline=False, color=_DARK)


def _titles(shown: Sequence[Slot]) -> str:
    titles = list(dict.fromkeys(slot.title.split()[0] for slot in shown))
    return titles[0] if len(titles) == 1 else f"{titles[0]}…"


def _face_page(size: Size, known: ParameterSet) -> Control:
    cells = [_knob(item, is_beside=size.is_beside) for item in face(known)]
    return ui.tiles(*cells, columns=size.columns, gap=8, pad=8)


def _fader_page(size: Size, shown: Sequence[Sequence[Slot]]) -> Control:
    """Return the slots of each column; columns are filled up, so that all rows are alike."""
    columns: list[Control] = []
    for slots_of_column in [*shown, *([()] * (size.fader_columns - len(shown)))]:
        rows: list[Control] = []
        for slot in slots_of_column:
            rows.append(_label(slot.title, size=18, color=_AMBER))
            rows += [
                _files_row(item) if isinstance(item, Files) else _fader_row(item)
                for item in slot.items
            ]
        rows += [_label("") for _ in range(size.rows - len(rows))]
        columns.append(ui.column(*rows, gap=6))
    return ui.row(*columns, gap=16, pad=8)


def _preset_page() -> Control:
    presets = [
        _button(str(at), "/nemo/preset/load", constant=str(at), color=_GREY)
        for at in range(PRESETS)
    ]
    recall = [
        _button(str(at + 1), "/nemo/snapshot/load", constant=str(at), color=_GREY)
        for at in range(PRESETS)
    ]
    store = [
        _button(str(at + 1), "/nemo/snapshot/save", constant=str(at), color=_DARK)
        for at in range(PRESETS)
    ]
    return ui.column(
        ui.row(
            _button("◀", "/nemo/preset/prev"),
            _shown("/nemo/preset/current", size=22),
            _button("▶", "/nemo/preset/next"),
            sizes=(1, 3, 1),
            gap=6,
        ),
        ui.row(_button("Save", "/nemo/preset/save"), _lamp("changed", "/nemo/preset/dirty"), gap=6),
        _label("Presets by number", color=_AMBER),
        ui.tiles(*presets, columns=4, gap=6),
        _label("Snapshots", color=_AMBER),
        ui.tiles(*recall, columns=4, gap=6),
        _label("Store a snapshot", color=_AMBER),
        ui.tiles(*store, columns=4, gap=6),
        sizes=(2, 2, 1, 3, 1, 3, 1, 3),
        gap=6,
        pad=8,
    )


def _tuner_page(known: ParameterSet) -> Control:
    cents = py2tosc.fader(
        name="cents",
        orientation=Orientation.EAST,
        interactive=False,
        centered=True,
        color=_GREEN,
        messages=[
            ui.osc(
                "/nemo/tuner/cents",
                send=False,
                args=[ui.value("x", conversion=Conversion.FLOAT, scale=(-50.0, 50.0))],
            )
        ],
    )
    _preset(cents, "x", 0.5)
    rows = [
        _fader_row(Item(known.row(path), name))
        for path, name in (("tuner/ref", "A4"), ("tuner/mute", "Mute"))
        if path in known
    ]
    return ui.column(
        _switch("Tuner", "tuner/enable", _GREEN),
        _shown("/nemo/tuner/note", size=120),
        cents,
        _shown("/nemo/tuner/hz", size=20),
        *rows,
        sizes=(2, 6, 2, 1, *(2 for _ in rows)),
        gap=8,
        pad=8,
    )


def _header() -> Control:
    return ui.row(
        _button("◀", "/nemo/model/prev"),
        ui.column(
            _shown("/nemo/model/current", size=18),
            _meter("/nemo/meter/in"),
            _meter("/nemo/meter/out"),
            sizes=(4, 1, 1),
            gap=2,
        ),
        _button("▶", "/nemo/model/next"),
        sizes=(1, 5, 1),
        gap=4,
    )


def _footer() -> Control:
    return ui.row(
        _switch("Bypass", "bypass", _AMBER),
        _button("Tap", "/nemo/tempo/tap"),
        _switch("Tuner", "tuner/enable", _GREEN),
        _switch("Mute", "mute", _AMBER),
        gap=4,
    )


# --- controls ------------------------------------------------------------------------------------


def _knob(item: Item, *, is_beside: bool) -> Control:
    row = item.row
    radial = py2tosc.radial(
        name=item.path, color=_AMBER, centered=row.low == -row.high, messages=[_both(row)]
    )
    _preset(radial, "x", row.default)
    name, text = _label(item.name, size=18), _text_of(row, size=16)
    if is_beside:
        texts = ui.column(_label(""), name, text, _label(""), gap=2, outline=False)
        return ui.row(radial, texts, sizes=(7, 4), gap=4)
    return ui.column(name, radial, text, sizes=(1, 5, 1), gap=2)


def _files_row(files: Files) -> Control:
    root = f"/nemo/{files.path}"
    return ui.row(
        _button("◀", f"{root}/prev"),
        _shown(f"{root}/current", size=14),
        _button("▶", f"{root}/next"),
        sizes=(2, 8, 2),
        gap=6,
    )


def _fader_row(item: Item) -> Control:
    row = item.row
    text = _text_of(row, size=14)
    if row.kind is ParameterKind.BOOL:
        control = _switch("", item.path, _AMBER)
    else:
        control = py2tosc.fader(
            name=item.path,
            orientation=Orientation.EAST,
            color=_AMBER,
            centered=row.low == -row.high,
            messages=[_both(row)],
        )
        _preset(control, "x", row.default)
        if row.kind is ParameterKind.ENUM:
            control.set("gridSteps", len(row.choices))
    return ui.row(
        _label(item.name, size=14, align=AlignH.LEFT), control, text, sizes=(3, 6, 3), gap=6
    )


def _both(row: Parameter) -> OscMessage:
    """Return the binding of a number, both ways: 0..1, or its own range where it has that."""
    is_choice = row.kind is ParameterKind.ENUM
    scale = (row.low, row.high) if is_choice or row.in_unit else (0.0, 1.0)
    conversion = Conversion.INTEGER if is_choice else Conversion.FLOAT
    return ui.osc(f"/nemo/{row.path}", args=[ui.value("x", conversion=conversion, scale=scale)])


def _switch(text: str, path: str, color: str) -> Control:
    switch = py2tosc.button(
        name=path,
        button_type=ButtonType.TOGGLE_PRESS,
        color=color,
        messages=[ui.osc(f"/nemo/{path}", args=[ui.value("x", conversion=Conversion.BOOLEAN)])],
    )
    return ui.stack(switch, _label(text, size=15)) if text else switch


def _button(text: str, address: str, *, constant: str = "", color: str = _GREY) -> Control:
    """Return a button that sends when it is pressed, and nothing when it is released."""
    arguments = [ui.const(constant, conversion=Conversion.INTEGER)] if constant else []
    message = ui.osc(address, args=arguments, on="RISE", receive=False)
    button = py2tosc.button(
        name=f"{address.removeprefix('/')} {constant}".strip(), color=color, messages=[message]
    )
    return ui.stack(button, _label(text, size=16))


def _lamp(text: str, address: str) -> Control:
    lamp = py2tosc.button(
        name=address.removeprefix("/"),
        interactive=False,
        color=_AMBER,
        messages=[ui.osc(address, send=False, args=[ui.value("x", conversion=Conversion.BOOLEAN)])],
    )
    return ui.stack(lamp, _label(text, size=15))


def _meter(address: str) -> Control:
    return py2tosc.fader(
        name=address.removeprefix("/"),
        orientation=Orientation.EAST,
        interactive=False,
        grid=False,
        cursor=False,
        color=_GREEN,
        messages=[ui.osc(address, send=False)],
    )


def _shown(address: str, *, size: int) -> Control:
    """Return a label that shows what an address says."""
    message = ui.osc(
        address,
        send=False,
        args=[ui.value("text", conversion=Conversion.STRING)],
        triggers=[],
    )
    return _label("", size=size, name=address.removeprefix("/"), messages=[message])


def _text_of(row: Parameter, *, size: int) -> Control:
    """Return the label of a parameter's value; until nemod says more, that of its default."""
    label = _shown(f"/nemo/text/{row.path}", size=size)
    _preset(label, "text", row.text(row.default))
    return label


def _preset(control: Control, key: str, value: float | str) -> None:
    """Set what a control holds until nemod says what it is."""
    for one in control.values:
        if one.key == key:
            one.default = value


def _label(
    text: str,
    *,
    size: int = 15,
    color: str = "#f1efe9",
    align: AlignH = AlignH.CENTER,
    name: str = "",
    messages: Sequence[OscMessage] = (),
) -> Control:
    label = py2tosc.label(
        name=name or text,
        text_size=size,
        text_color=color,
        text_align_h=align,
        background=False,
        outline=False,
        messages=list(messages),
    )
    _preset(label, "text", text)
    return label
