// Starts the page: connects, reads what there is to control, and builds it.

import { Board, ends as chainEnds } from "./board.js";
import { readChain, structure } from "./chain.js";
import { chooser } from "./chooser.js";
import { Connection } from "./connection.js";
import { byId, el } from "./dom.js";
import { bypassed, face, modelKnobs, modelSize } from "./face.js";
import { takeDrops, upload } from "./files.js";
import { meters, status } from "./meters.js";
import { midi } from "./midi.js";
import { presets } from "./presets.js";
import { Problems } from "./problems.js";
import { Store } from "./store.js";
import { toast } from "./toast.js";
import { Tree } from "./tree.js";
import { foot } from "./tuner.js";

const RELOAD_MS = 150;
const RETRY_MS = 1500;

class Page {
  constructor() {
    this.store = new Store();
    this.signature = "";
    this.ends = [];
    this.timer = 0;
    this.focused = null;
    this.store.onError = (...error) => this.failed(...error);
    this.store.onDone = (address, name) => this.done(address, name);
    const url = new URL("/", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.store.connection = new Connection(url.href, {
      opened: () => this.opened(),
      closed: () => this.closed(),
      message: (address, values) => this.store.receive(address, values),
      pathChanged: () => this.later(RELOAD_MS),
    });
    this.board = new Board(this.store);
    takeDrops();
    byId("upload").append(uploader(this.store));
    this.store.connection.connect();
  }

  opened() {
    this.load();
    this.store.listenAgain();
  }

  closed() {
    this.focused ??= document.activeElement;
    this.show(false);
  }

  /** Shows whether there is a connection; without one nothing can be turned. */
  show(isConnected) {
    document.body.classList.toggle("offline", !isConnected);
    byId("offline").hidden = isConnected;
    for (const part of [byId("main"), byId("foot")]) part.inert = !isConnected;
    if (!isConnected) return;
    document.body.classList.remove("loading");
    if (document.activeElement === document.body) this.focused?.focus();
    this.focused = null;
  }

  later(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), delay);
  }

  /** Reads the tree, and builds the page where it is not the one that is shown. */
  async load() {
    clearTimeout(this.timer);
    try {
      const answer = await fetch("/nemo", { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const tree = new Tree(await answer.json());
      if (tree.signature() !== this.signature) this.build(tree);
      if (!this.store.connection.isOpen) return;
      this.show(true);
    } catch {
      this.later(RETRY_MS);
    }
  }

  build(tree) {
    const giveFocus = focusAgain();
    for (const end of this.ends) end();
    this.ends = [];
    this.signature = tree.signature();
    const { store, ends } = this;
    const problems = new Problems(store, ends, byId("problems"));
    byId("meters").replaceChildren(...meters(store, ends));
    const model = chooser("model", "Model", tree, store, ends, { problems: () => problems.faults });
    byId("model").replaceChildren(model.element, ...modelSize(tree, store, ends));
    byId("face").replaceChildren(...face(tree, store, ends), ...modelKnobs(tree, store, ends));
    byId("presets").replaceChildren(...presets(tree, store, ends));
    this.board.build(tree, ends, problems);
    byId("ends").replaceChildren(...chainEnds(tree, store, ends));
    const controllers = midi(tree, store, ends);
    byId("midi-card").hidden = controllers === null;
    byId("midi").replaceChildren(...(controllers ? [controllers] : []));
    byId("status").replaceChildren(status(tree, store, ends));
    foot(tree, store, ends);
    bypassed(tree, store, ends, document.body);
    ends.push(
      store.watch("/nemo/info/host", (host) => {
        document.title = `nemod on ${host}`;
        byId("host").textContent = host;
      }),
    );
    const shown = JSON.stringify(structure(tree.places));
    ends.push(
      store.watch("/nemo/chain/slots", (text) => {
        if (JSON.stringify(structure(readChain(text))) !== shown) this.later(RELOAD_MS);
      }),
    );
    giveFocus();
  }

  failed(code, address, text, isOfJob) {
    // A newer request has taken its place: that one answers.
    if (code === "busy") return;
    // The board shows it.
    if (isOfJob && address.startsWith("/nemo/chain/")) return;
    toast(text || `${address}: ${code}`, { isError: true });
  }

  done(address, name) {
    const text = {
      "/nemo/preset/save": `Saved: ${name}`,
      "/nemo/preset/rename": `Renamed: ${name}`,
      "/nemo/preset/delete": `Deleted: ${name}`,
      "/nemo/model/rescan": `${name} models`,
    }[address];
    if (text) toast(text);
  }
}

/** Returns what gives the focus back to the control that has it now, after the page was built. */
function focusAgain() {
  const active = document.activeElement;
  for (const name of ["data-address", "data-focus"]) {
    const value = active?.getAttribute(name);
    if (!value) continue;
    const all = () => [...document.querySelectorAll(`[${name}="${CSS.escape(value)}"]`)];
    // A control of the face may be on the board, too.
    const at = all().indexOf(active);
    return () => (all()[at] ?? all()[0])?.focus();
  }
  return () => {};
}

function uploader(store) {
  const input = el("input", {
    type: "file",
    multiple: true,
    class: "visually-hidden",
    id: "files",
    onchange: () => {
      upload(input.files);
      input.value = "";
    },
  });
  return el(
    "div",
    { class: "actions" },
    el("label", { class: "action", for: "files" }, input, "Add files…"),
    el("button", { type: "button", class: "action", onclick: () => store.send("/nemo/model/rescan") }, "Look for new ones"),
  );
}

new Page();
