// Levels with clipping, and what the daemon says of itself.

import { el } from "./dom.js";
import { title } from "./tree.js";

const CLIP_HOLD_MS = 1500;
const LOUD = 0.985;

export function meters(store, ends) {
  const one = (name, address) => {
    const bar = el("div", { class: "level" });
    const meter = el(
      "div",
      { class: "meter", role: "meter", "aria-label": `${name} level`, "aria-valuemin": "-60", "aria-valuemax": "0", "aria-valuenow": "-60" },
      bar,
    );
    ends.push(
      store.watch(address, (value) => {
        bar.style.transform = `scaleX(${value})`;
        bar.classList.toggle("loud", value > LOUD);
        const level = Math.round(value * 60 - 60);
        meter.setAttribute("aria-valuenow", String(level));
        meter.setAttribute("aria-valuetext", value > 0 ? `${level} decibels` : "silence");
      }),
    );
    return el("div", { class: "meter-row" }, el("span", { class: "name" }, name), meter);
  };
  const clip = el(
    "button",
    { type: "button", class: "clip", onclick: () => store.send("/nemo/meter/reset") },
    "Clip",
  );
  let last = null;
  let timer = 0;
  ends.push(
    store.watch("/nemo/meter/clip", (count) => {
      clip.setAttribute("aria-label", `Clipped ${count} times. Reset`);
      clip.textContent = count ? `Clip ${count}` : "Clip";
      clip.classList.toggle("has", count > 0);
      if (last !== null && count > last) {
        clip.classList.add("now");
        clearTimeout(timer);
        timer = setTimeout(() => clip.classList.remove("now"), CLIP_HOLD_MS);
      }
      last = count;
    }),
    () => clearTimeout(timer),
  );
  const rows = el("div", { class: "levels" }, one("In", "/nemo/meter/in"), one("Out", "/nemo/meter/out"));
  return [rows, clip];
}

const percent = (value) => `${(value * 100).toFixed(1)} %`;
const FORMATS = {
  load: percent,
  load_peak: percent,
  latency_ms: (value) => `${value.toFixed(1)} ms`,
  rate: (value) => `${value} Hz`,
  model_rate: (value) => `${value} Hz`,
  block: (value) => `${value} frames`,
  uptime: (value) =>
    [3600, 60, 1].map((unit, at) => String(Math.floor(value / unit) % (at ? 60 : 1e6)).padStart(at ? 2 : 1, "0")).join(":"),
};
const NAMES = {
  load: "DSP load", load_peak: "Peak load", latency_ms: "Latency", xruns: "Xruns", late: "Late blocks",
  model_rate: "Model's rate", rate_policy: "Resampling", rate: "Sample rate", bad_packets: "Bad packets",
};

/** All leaves of /nemo/status, the ones that this page does not know included. */
export function status(tree, store, ends) {
  const rows = [...tree.leaves("status"), ...tree.leaves("info")].map(({ name, address, help }) => {
    const value = el("dd", {}, "–");
    ends.push(
      store.watch(address, (now) => {
        value.textContent = (FORMATS[name] ?? String)(now);
      }),
    );
    return el("div", { title: help }, el("dt", {}, NAMES[name] ?? title(name)), value);
  });
  return el("dl", { class: "status" }, ...rows);
}
