// A knob or a fader: one number that is turned by touch, mouse and keyboard, or typed.
//
// A drag is relative, so that touching it changes nothing. The wheel scrolls the page and does not
// turn it. While it is held, what others set is not shown: it would jump below the finger.

import { el, svg } from "./dom.js";

const DIAL_PIXELS = 190;
const SLOP_PIXELS = 4;
const TWICE_MS = 350;
const FINE = 0.2;
const STEP = 0.01;
const FINE_STEP = 0.002;
const PAGE = 0.1;
const ARC = 75;

const clip = (position) => Math.min(Math.max(position, 0), 1);

/** Returns the element of a parameter; `ends` gets what must be called when it is removed. */
export function knob(parameter, store, ends, { isDial = false } = {}) {
  return new Knob(parameter, store, ends, isDial).element;
}

class Knob {
  constructor(parameter, store, ends, isDial) {
    this.parameter = parameter;
    this.store = store;
    this.isDial = isDial;
    this.position = 0;
    this.drag = null;
    this.tapMs = 0;
    this.build();
    ends.push(store.watch(parameter.address, (value) => this.receive(value)));
    if (parameter.text) ends.push(store.watch(parameter.text, (text) => this.label(text)));
  }

  build() {
    const { parameter } = this;
    const name = parameter.short ?? parameter.label;
    this.handle = el("div", {
      class: this.isDial ? "dial" : "track",
      role: "slider",
      tabindex: "0",
      title: parameter.help,
      "aria-label": parameter.label,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      "aria-orientation": this.isDial ? "vertical" : "horizontal",
      "data-address": parameter.address,
      onkeydown: (event) => this.key(event),
      onpointerdown: (event) => this.press(event),
      onpointermove: (event) => this.move(event),
      onpointerup: (event) => this.release(event),
      onpointercancel: () => this.cancel(),
    });
    this.picture = this.isDial ? dial() : bar();
    this.handle.append(this.picture.element);
    // Enter on the knob does the same, so the keyboard need not stop here.
    this.value = el("button", {
      class: "value",
      type: "button",
      tabindex: "-1",
      "aria-label": `Type ${parameter.label}`,
      onclick: () => this.type(),
    });
    this.element = el(
      "div",
      { class: this.isDial ? "knob" : "fader" },
      el("span", { class: "name" }, name),
      this.handle,
      this.value,
    );
  }

  // --- what the daemon says ----------------------------------------------------------------------

  receive(value) {
    if (this.drag?.isMoving || typeof value !== "number") return;
    this.show((value - this.parameter.min) / (this.parameter.max - this.parameter.min));
  }

  show(position) {
    this.position = clip(position);
    this.picture.show(this.position, this.parameter.isBipolar ? 0.5 : 0);
    const percent = String(Math.round(this.position * 100));
    this.handle.setAttribute("aria-valuenow", percent);
    // The daemon has no text for it.
    if (!this.parameter.text) this.label(`${percent} %`);
  }

  label(text) {
    this.value.textContent = text;
    this.handle.setAttribute("aria-valuetext", text);
  }

  // --- what the player does ----------------------------------------------------------------------

  set(position) {
    if (!this.store.connection.isOpen) return;
    const { min, max, address } = this.parameter;
    this.show(position);
    this.store.set(address, "f", min + this.position * (max - min));
  }

  reset() {
    const { min, max, default: value } = this.parameter;
    if (value !== null) this.set((value - min) / (max - min));
  }

  press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.handle.setPointerCapture(event.pointerId);
    const { position } = this;
    this.drag = { x: event.clientX, y: event.clientY, position, start: position, isMoving: false };
  }

  move(event) {
    const { drag } = this;
    if (!drag) return;
    const right = event.clientX - drag.x;
    const up = drag.y - event.clientY;
    const way = this.isDial ? right + up : right;
    if (!drag.isMoving && Math.abs(way) < SLOP_PIXELS) return;
    // A finger that scrolls the page is never quite upright.
    const isScrolling = !this.isDial && event.pointerType === "touch" && Math.abs(up) > Math.abs(right);
    if (!drag.isMoving && isScrolling) return;
    drag.isMoving = true;
    const pixels = this.isDial ? DIAL_PIXELS : this.handle.clientWidth;
    drag.position = clip(drag.position + (way / pixels) * (event.shiftKey ? FINE : 1));
    drag.x = event.clientX;
    drag.y = event.clientY;
    this.set(drag.position);
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.isMoving) return this.settle();
    const isTwice = event.timeStamp - this.tapMs < TWICE_MS;
    this.tapMs = isTwice ? 0 : event.timeStamp;
    if (isTwice) this.reset();
    return undefined;
  }

  /** The browser scrolls instead: it was no turn. */
  cancel() {
    const { drag } = this;
    this.drag = null;
    if (!drag?.isMoving) return;
    this.set(drag.start);
    this.settle();
  }

  /** Asks for what is in force: another player may have turned the same knob. */
  settle() {
    this.store.flush();
    this.store.query(this.parameter.address);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = event.shiftKey ? FINE_STEP : STEP;
    const moves = {
      ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step,
      PageUp: PAGE, PageDown: -PAGE, Home: -1, End: 1,
    };
    if (event.key in moves) this.set(clip(this.position + moves[event.key]));
    else if (event.key === "Delete" || event.key === "Backspace") this.reset();
    else if (event.key === "Enter") this.type();
    else if (/^[-+.,\d]$/.test(event.key)) this.type(event.key);
    else return;
    event.preventDefault();
  }

  /** Lets a value be typed in the parameter's own unit. */
  type(begin = "") {
    if (!this.store.connection.isOpen) return;
    const before = this.value.textContent;
    const input = el("input", {
      class: "value",
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": `${this.parameter.label}, now ${before}`,
    });
    const given = before.match(/[-+]?[\d.]+/)?.[0] ?? "";
    input.value = begin || given;
    const end = (isTaken) => {
      if (!input.isConnected) return;
      const hadFocus = document.activeElement === input;
      input.onblur = null;
      input.replaceWith(this.value);
      if (isTaken && (begin || input.value !== given)) this.take(input.value);
      if (hadFocus) this.handle.focus();
    };
    input.onblur = () => end(true);
    input.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      end(event.key === "Enter");
    };
    this.value.replaceWith(input);
    input.focus();
    if (!begin) input.select();
  }

  take(text) {
    const number = Number.parseFloat(text.replace(",", "."));
    const { real, scale = 1 } = this.parameter;
    if (Number.isFinite(number)) this.store.send(real, "f", number * scale);
    // On the value itself nothing comes back: it is its own echo.
    this.store.query(this.parameter.address);
  }
}

function dial() {
  const arc = (name) =>
    svg("circle", { class: name, cx: "50", cy: "50", r: "42", pathLength: "100", transform: "rotate(135 50 50)" });
  const value = arc("arc");
  const hand = svg("line", { class: "hand", x1: "50", y1: "50", x2: "50", y2: "20" });
  const picture = svg(
    "svg",
    { viewBox: "0 0 100 100", "aria-hidden": "true" },
    arc("ring"),
    value,
    svg("circle", { class: "cap", cx: "50", cy: "50", r: "32" }),
    hand,
  );
  return {
    element: picture,
    show(position, origin) {
      const begin = Math.min(position, origin) * ARC;
      const length = Math.abs(position - origin) * ARC;
      value.setAttribute("stroke-dasharray", `0 ${begin} ${length} 200`);
      hand.setAttribute("transform", `rotate(${-135 + position * 270} 50 50)`);
    },
  };
}

function bar() {
  const value = el("div", { class: "bar" });
  const thumb = el("div", { class: "thumb" });
  return {
    element: el("div", { class: "groove", "aria-hidden": "true" }, value, thumb),
    show(position, origin) {
      value.style.left = `${Math.min(position, origin) * 100}%`;
      value.style.width = `${Math.abs(position - origin) * 100}%`;
      thumb.style.left = `${position * 100}%`;
    },
  };
}
