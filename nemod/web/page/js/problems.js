// What is wrong now, and what helps.

import { el } from "./dom.js";

const HIGH_LOAD = 0.85;
const RECENT_MS = 15000;

const STATES = {
  starting: ["nemod is starting.", "The first sound comes in a few seconds."],
  restarting: ["The audio process is being restarted.", "The sound comes back by itself."],
  no_device: ["The sound card is not connected.", "Plug it in: it is used as soon as it is there. Other devices: nemod devices."],
  error: ["The audio cannot run.", "The log says why: journalctl --user -u nemod, or the terminal that nemod runs in."],
};

const REDUCED = {
  size: "the model plays in a smaller size",
  reverb: "the reverb is simpler",
};

export class Problems {
  constructor(store, ends, place) {
    this.place = place;
    this.found = new Map();
    this.last = new Map();
    this.timers = new Map();
    this.faults = {};
    const watch = (address, watcher) => ends.push(store.watch(`/nemo/${address}`, watcher));
    watch("status/state", (state) => {
      const [text, remedy] = STATES[state] ?? [`State: ${state}.`, ""];
      this.set("state", state !== "running", text, remedy);
    });
    watch("status/load_peak", (load) =>
      this.set(
        "load",
        load > HIGH_LOAD,
        `Blocks took up to ${Math.round(load * 100)} % of their time.`,
        "A smaller model, a longer block (--block) or fewer other programs leave more. A tap on Clip resets this.",
      ),
    );
    watch("status/reduced", (words) => {
      const reduced = words.split(", ").filter((word) => word in REDUCED).map((word) => REDUCED[word]);
      this.set("reduced", reduced.length > 0, `The machine is too slow: ${reduced.join(", ")}.`, "It comes back when the load has been low for a while; /nemo/size/auto F keeps the full quality.");
      this.set("overload", words.includes("overload"), "The machine is too slow, and nothing is left to reduce.", "Use a smaller model, a longer block (--block) or end other programs.");
    });
    watch("status/xruns", (count) =>
      this.count("xruns", count, "The sound card lost samples.", "Use a longer block (--block 128), and see nemod service for real-time priority."),
    );
    watch("meter/clip", (count) =>
      this.count("clip", count, "The output is too loud: the limiter holds it.", "Turn Level or Output down."),
    );
    watch("mute", (isOn) => this.set("mute", isOn, "The output is muted.", "Tap Mute to hear it."));
    watch("bypass", (isOn) => this.set("bypass", isOn, "All effects are bypassed.", "Tap Bypass to hear them."));
    watch("model/problems", (text) => this.models(text));
    ends.push(() => this.timers.forEach(clearTimeout));
  }

  models(text) {
    try {
      this.faults = JSON.parse(text);
    } catch {
      this.faults = {};
    }
    const names = Object.keys(this.faults);
    const which = names.length === 1 ? `${names[0]} cannot be played: ${this.faults[names[0]]}` : `${names.length} models cannot be played.`;
    this.set("models", names.length > 0, which, "The list of models says why; nemod check FILE says more.");
  }

  /** A problem while a count grows, and for a moment after. */
  count(key, value, text, remedy) {
    const before = this.last.get(key);
    this.last.set(key, value);
    if (before === undefined || value <= before) return;
    this.set(key, true, text, remedy);
    clearTimeout(this.timers.get(key));
    this.timers.set(key, setTimeout(() => this.set(key, false), RECENT_MS));
  }

  set(key, is, text = "", remedy = "") {
    const now = is ? `${text}\n${remedy}` : "";
    if ((this.found.get(key) ?? "") === now) return;
    if (is) this.found.set(key, now);
    else this.found.delete(key);
    const items = [...this.found.values()].map((one) => {
      const [what, help] = one.split("\n");
      return el("li", {}, el("strong", {}, what), " ", help);
    });
    this.place.replaceChildren(...items);
  }
}
