// The board: a card for each slot of the chain, in its order; a split is a card with two branches.

import { ask } from "./ask.js";
import { allSlots, find, freeName, lines, neighbour, placeText, target, where } from "./chain.js";
import { chooser } from "./chooser.js";
import { control, toggle } from "./controls.js";
import { openMenu } from "./dialog.js";
import { byId, el, icon, ICONS } from "./dom.js";
import { draggable } from "./drag.js";
import { FACE } from "./face.js";
import { openList } from "./list.js";
import { sizeControl } from "./size.js";
import { toast } from "./toast.js";

/** What stands at another place of the page: face, bar, tuner, and the ends of the chain. */
const ELSEWHERE = new Set([
  ...FACE.filter((path) => !path.includes("/")),
  "knob", "bypass", "mute", "tuner", "tempo", "input", "output",
]);
const NO_FILE = "No file yet";
const GONE = "The slot is gone: the chain has changed.";
const EARLIER = ["ArrowUp", "ArrowLeft"];
const LATER = ["ArrowDown", "ArrowRight"];

export class Board {
  constructor(store) {
    this.store = store;
    this.element = byId("board");
    this.notes = new Map();
    this.moved = "";
    this.jobs = 0;
    this.endToast = () => {};
    this.builds = 0;
  }

  /** Shows the chain of a tree; `ends` gets what must be called when it is removed. */
  build(tree, ends, problems) {
    this.tree = tree;
    this.places = tree.places;
    this.ends = ends;
    this.problems = problems;
    this.canEdit = tree.has("chain/add");
    this.cards = new Map();
    const names = new Set(allSlots(this.places).map((one) => one.name));
    for (const key of this.notes.keys()) if (!key.startsWith("+") && !names.has(key)) this.notes.delete(key);
    this.element.replaceChildren(...this.line(lines(this.places)[0]));
    for (const other of tree.others(ELSEWHERE)) {
      this.element.append(el("li", {}, this.card(other, other.label || "More")));
    }
    this.builds += 1;
    if (this.moved) this.announce();
  }

  // --- cards -------------------------------------------------------------------------------------

  line({ key, letter, slots }) {
    const items = slots.map((place, at) => this.item(place, key, at));
    if (!this.canEdit) return items;
    const noteKey = `+${key}`;
    const note = this.noteOf(noteKey);
    const text = letter ? `Add to branch ${letter}…` : "Add a slot…";
    const add = el(
      "button",
      { type: "button", class: "action", "aria-haspopup": "dialog", "data-focus": noteKey, onclick: () => this.add({ key, at: this.countOf(key) }, noteKey) },
      el("span", {}, text),
    );
    return [...items, el("li", { class: "add", "data-line": key, "data-at": slots.length }, add, note)];
  }

  countOf(key) {
    return lines(this.places).find((line) => line.key === key)?.slots.length ?? 0;
  }

  item(place, key, at) {
    const slot = this.tree.slot(place);
    const card = this.card(slot, slot.label, place);
    const item = el("li", { class: place.branches ? "split" : null, "data-line": key, "data-at": at }, card);
    this.cards.set(place.name, card);
    if (place.branches) {
      const branches = place.branches.map((branch) =>
        el(
          "div",
          { class: "branch", role: "group", "aria-label": `Branch ${branch.letter}` },
          el("div", { class: "letter", "aria-hidden": "true" }, `Branch ${branch.letter}`),
          el("ol", { class: "board" }, ...this.line(branch)),
        ),
      );
      card.append(el("div", { class: "branches" }, ...branches));
    }
    const handle = card.querySelector(".grip");
    if (handle) {
      const isPlace = (to) => target(this.places, place.name, to) !== null;
      this.ends.push(
        draggable(handle, item, this.element, isPlace, (to) => this.move(place.name, target(this.places, place.name, to))),
      );
    }
    return item;
  }

  /** `place` is that of a slot of the chain, which can be moved and removed. */
  card(slot, label, place = null) {
    const id = `slot-${slot.name || "more"}`;
    const card = el("section", { class: "card slot", "aria-labelledby": id }, ...this.content(slot, label, id, place));
    if (slot.enable) {
      this.ends.push(this.store.watch(slot.enable.address, (isOn) => card.classList.toggle("off", !isOn)));
    }
    return card;
  }

  content(slot, label, id, place) {
    const { store, ends } = this;
    const head = el("div", { class: "head" });
    const title = el("h3", { id }, label);
    if (place && this.canEdit) head.append(this.grip(slot));
    head.append(title);
    if (slot.enable) head.append(toggle(slot.enable, store, ends, { text: "" }));
    if (place && this.canEdit) head.append(this.more(slot));
    const files = slot.files
      ? chooser(slot.files, "File", this.tree, store, ends, {
          of: label,
          problems: slot.kind === "model" ? () => this.problems.faults : null,
        }).element
      : null;
    const rows = slot.parameters.map((one) => control(one, store, ends));
    const size = slot.files ? sizeControl(slot, label, this.tree, store, ends) : null;
    return [head, place ? this.noteOf(slot.name) : null, files, size, ...rows].filter(Boolean);
  }

  grip({ name, label }) {
    return el(
      "button",
      {
        type: "button",
        class: "step grip",
        "aria-label": `Move ${label}`,
        "aria-describedby": "grip-help",
        title: "Drag to move; arrow keys move it, too",
        "data-focus": `grip ${name}`,
        onclick: () => this.menu(name),
        onkeydown: (event) => {
          if (event.ctrlKey || event.altKey || event.metaKey) return;
          const by = EARLIER.includes(event.key) ? -1 : LATER.includes(event.key) ? 1 : 0;
          if (!by) return;
          event.preventDefault();
          // The next place is known when the move before has ended.
          if (!this.jobs) this.move(name, neighbour(this.places, name, by));
        },
      },
      icon(ICONS.grip),
    );
  }

  more({ name, label }) {
    return el(
      "button",
      { type: "button", class: "step", "aria-label": `${label}: move, replace, remove`, "aria-haspopup": "dialog", "data-focus": `more ${name}`, onclick: () => this.menu(name) },
      icon(ICONS.more),
    );
  }

  // --- what a player does ------------------------------------------------------------------------

  menu(name) {
    const at = find(this.places, name);
    if (!at) return;
    const label = this.tree.slotLabel(at.slot);
    const [earlier, later] = [-1, 1].map((by) => neighbour(this.places, name, by));
    openMenu(`${label}, ${placeText(this.places, name)}`, [
      ["Move earlier", () => this.move(name, earlier), earlier !== null],
      ["Move later", () => this.move(name, later), later !== null],
      ["Add a slot before it…", () => this.addBeside(name, 0)],
      ["Add a slot behind it…", () => this.addBeside(name, 1)],
      at.slot.branches ? null : ["Replace…", () => this.replace(name)],
      ["Remove…", () => this.remove(name)],
    ]);
  }

  move(name, to) {
    if (to === null) return;
    const { builds } = this;
    this.run(name, "Moving…", "move", (result) => {
      this.moved = result || name;
      if (this.builds !== builds) this.announce();
    }, "ss", name, to);
  }

  addBeside(name, by) {
    const found = this.found(name);
    if (found) this.add({ key: found.key, at: found.at + by }, name);
  }

  /** Returns what `find` does; says so where a slot is gone, as while a menu was open. */
  found(name) {
    const found = find(this.places, name);
    if (!found) toast(GONE, { isError: true });
    return found;
  }

  async add(place, noteKey) {
    const to = where(this.places, place);
    if (to === null) {
      toast(GONE, { isError: true });
      return;
    }
    const chosen = await this.choose("Add a slot", place.key !== "");
    if (!chosen) return;
    const name = freeName(chosen.kind, this.places);
    this.run(noteKey, `Adding ${this.tree.kindLabel(chosen.kind)}…`, "add", null, "sss", name, to, content(chosen));
  }

  async replace(name) {
    const found = this.found(name);
    if (!found) return;
    const { key, slot } = found;
    const chosen = await this.choose(`Replace ${this.tree.slotLabel(slot)}`, key !== "");
    if (!chosen) return;
    const other = chosen.kind === slot.kind ? name : freeName(chosen.kind, this.places);
    this.run(name, "Replacing…", "replace", null, "sss", name, other, content(chosen));
  }

  async remove(name) {
    const found = this.found(name);
    if (!found) return;
    const { slot } = found;
    const label = this.tree.slotLabel(slot);
    const inside = (slot.branches ?? []).flatMap((branch) => branch.slots).map((one) => this.tree.slotLabel(one));
    const text = slot.file ? `It plays ${slot.file}.` : inside.length ? `${inside.join(", ")} would be removed with it.` : "";
    if (text && !(await ask({ title: `Remove ${label}?`, text, action: "Remove" }))) return;
    this.run(name, "Removing…", "remove", null, "s", name);
  }

  /** Lets a kind be chosen, and a file where it has one; resolves with { kind, file } or null. */
  async choose(title, isInBranch) {
    const hasSplit = this.places.some((one) => one.branches);
    const kinds = Object.entries(this.tree.kinds).filter(([kind]) => kind !== "split" || !(hasSplit || isInBranch));
    const kind = await pick(title, kinds.map(([name, label]) => ({ name: label, value: name })));
    if (kind === null || !this.tree.hasFiles(kind)) return kind && { kind, file: "" };
    const entries = await this.store.list(`/nemo/${kind}/list`, 1).catch(() => null);
    if (entries === null) return null;
    const label = this.tree.kindLabel(kind);
    const file = await pick(label, [
      { name: NO_FILE, value: "" },
      ...entries.map(([name]) => ({ name: String(name), value: String(name) })),
    ]);
    return file === null ? null : { kind, file };
  }

  // --- jobs --------------------------------------------------------------------------------------

  /** Starts an edit of the chain. What becomes of it is shown at a slot, or at a button that adds. */
  run(noteKey, text, leaf, done, tags, ...values) {
    const over = (outcome, result) => {
      this.jobs -= 1;
      const isError = outcome === "error";
      const isShown = this.note(noteKey, isError ? result : "", isError);
      if (isError && !isShown) toast(result, { isError });
      if (outcome === "done") done?.(result);
    };
    if (!this.store.start(`/nemo/chain/${leaf}`, over, tags, ...values)) return;
    this.jobs += 1;
    for (const [key, { isError }] of this.notes) if (isError) this.note(key, "", false);
    this.note(noteKey, text, false);
  }

  /** Shows a text at a slot, or none; returns whether there is a place for it. */
  note(key, text, isError) {
    if (text) this.notes.set(key, { text, isError });
    else this.notes.delete(key);
    const element = this.element.querySelector(`[data-note="${CSS.escape(key)}"]`);
    if (element) this.showNote(element, key);
    return element !== null;
  }

  noteOf(key) {
    const element = el("p", { class: "note-line", "data-note": key });
    this.showNote(element, key);
    return element;
  }

  showNote(element, key) {
    const { text = "", isError = false } = this.notes.get(key) ?? {};
    element.setAttribute("role", isError ? "alert" : "status");
    element.textContent = text;
    element.hidden = !text;
    element.classList.toggle("error", isError);
    element.classList.toggle("busy", Boolean(text) && !isError);
  }

  /** Says where the slot that was moved is now, and gives it the focus where nothing else has it. */
  announce() {
    const at = find(this.places, this.moved);
    const card = this.cards.get(this.moved);
    this.moved = "";
    if (!at) return;
    this.endToast();
    this.endToast = toast(`${this.tree.slotLabel(at.slot)}: ${placeText(this.places, at.slot.name)}`);
    if (document.activeElement === document.body) card?.querySelector(".grip")?.focus();
  }
}

/** The content of a new slot as JSON: `{"kind": "model", "file": "muff"}`. */
function content({ kind, file }) {
  return JSON.stringify(file ? { kind, file } : { kind });
}

/** Resolves with the value of the entry that is chosen, or null. */
function pick(title, entries) {
  return new Promise((resolve) => {
    let value = null;
    const choose = (entry) => {
      value = entry.value;
    };
    const dialog = openList({ title, current: null, entries, choose });
    dialog.addEventListener("close", () => resolve(value));
  });
}

/** What is before and after the chain, and the tempo. */
export function ends(tree, store, removed) {
  return ["input", "output", "tempo/bpm"]
    .map((path) => tree.parameter(path))
    .filter(Boolean)
    .map((one) => control(one, store, removed));
}
