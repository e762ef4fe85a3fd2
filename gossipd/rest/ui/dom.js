"use strict";
// Making elements. Whatever came from the network becomes text, never markup.

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function place(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [kind, act] of Object.entries(value)) made.addEventListener(kind, act);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === "") continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}
const el = (tag, attributes, ...children) => place(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => place(document.createElementNS(SVG, tag), attributes, children);

// -- moments ------------------------------------------------------------------

const clock = { skew: 0, now() { return Date.now() / 1000 + this.skew; } };

function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}
function timeOfDay(at) {
  return new Date(at * 1000).toLocaleTimeString([], { hour12: false });
}
// an age or a countdown that goes on by itself; tick() writes all of them
function ticking(at, words) {
  const made = el("span", { "data-at": at, "data-words": words });
  writeTick(made);
  return made;
}
function writeTick(made) {
  const away = clock.now() - Number(made.dataset.at);
  const text = made.dataset.words.replace("%", span(Math.abs(away)));
  if (made.textContent !== text) made.textContent = text;
}
function tick() {
  document.querySelectorAll("[data-at]").forEach(writeTick);
}

// -- states -------------------------------------------------------------------

const MARKS = { good: "●", warn: "▲", bad: "✕", info: "○" };
const FEELING = {
  alive: "good", suspect: "warn", leaving: "info", left: "info", failed: "bad",
  passing: "good", warning: "warn", critical: "bad",
};
function mark(feeling) {
  return el("span", { class: `mark ${feeling}`, "aria-hidden": "true" }, MARKS[feeling]);
}
function milliseconds(ms) {
  return ms >= 100 ? `${Math.round(ms)} ms` : ms >= 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(2)} ms`;
}
// passing, warning and critical side by side; of no instances, an empty bar
function shareBar(passing, warning, critical) {
  const width = 90, total = passing + warning + critical;
  const bar = svg("svg", { width, height: 8, "aria-hidden": "true" });
  bar.append(svg("rect", { width, height: 8, class: "fill-none" }));
  let x = 0;
  for (const [count, fill] of [[passing, "good"], [warning, "warn"], [critical, "bad"]]) {
    if (!count) continue;
    const part = (width * count) / total;
    bar.append(svg("rect", { x, width: part, height: 8, class: `fill-${fill}` }));
    x += part;
  }
  return bar;
}

// -- lists that are changed in place -------------------------------------------

// Keeps a list's children those of `wanted` ([key, signature, make]), in order; what has the
// same signature stays, so focus and selection do. Returns nothing.
function reconcile(list, wanted) {
  const had = list.rowsByKey || new Map(), now = new Map();
  let before = null;
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const refocus = focused && focused.dataset.focus;
  for (const [key, signature, make] of wanted) {
    let kept = had.get(key);
    if (!kept || kept.signature !== signature) {
      const row = make();
      if (kept) kept.row.replaceWith(row);
      kept = { row, signature };
    }
    now.set(key, kept);
    const next = before ? before.nextSibling : list.firstChild;
    if (kept.row !== next) list.insertBefore(kept.row, next);
    before = kept.row;
  }
  while ((before ? before.nextSibling : list.firstChild) !== null)
    (before ? before.nextSibling : list.firstChild).remove();
  list.rowsByKey = now;
  if (refocus && !focused.isConnected)
    for (const each of list.querySelectorAll("[data-focus]"))
      if (each.dataset.focus === refocus) { each.focus({ preventScroll: true }); break; }
}
