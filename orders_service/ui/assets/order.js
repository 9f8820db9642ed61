// One order's journey: from its row to the log, to the stock, and back.

import { html } from "./preact-htm.js";
import { useData } from "./api.js";
import { AskFirst, Command, Copy, Panel, Record, Time, Trouble } from "./parts.js";
import { Glyph, Mark } from "./shapes.js";
import { between, number, span } from "./words.js";

const RULER = { y: 34, least: 0.13 };
const LATE_SHARE = 0.3; // A gap that takes more of the whole than this is drawn bold.
const RESENDS = "This service applies it once, however often it comes. The course’s own catalog takes the stock twice: do not resend to it.";
const ENDS = ["confirmed", "rejected", "cancelled"];

export function Order({ item }) {
  const path = `/admin/orders/${encodeURIComponent(item)}/journey`;
  const journey = useData(path, { every: (found) => (goesOn(found) ? 2 : 0) });
  const isUnknown = journey.problem?.status === 404;
  if (isUnknown) return html`<${Crumbs} item=${item} /><div class="empty"><div><h1 tabindex="-1">There is no such order</h1><p>No order has the id <span class="mono">${item}</span>. <a href="/ui/orders">The newest orders</a></p></div></div>`;
  return html`<${Panel} of=${journey} rows=${9}>${(data) => html`
    <${Head} data=${data} item=${item} onDone=${journey.reload} />
    ${journey.problem && html`<${Trouble} problem=${journey.problem} onAgain=${journey.reload} />`}
    <${Ruler} entries=${data.entries} />
    <ol class="journey">${data.entries.map((entry, index) => html`<${Entry} key=${`${entry.kind}-${entry.place || index}`} entry=${entry} next=${data.entries[index + 1]} whole=${wholeOf(data.entries)} />`)}</ol>
    <${Command} text=${data.command} />`}</${Panel}>
    ${journey.data == null && html`<h1 class="vh" tabindex="-1">Order ${item.slice(0, 8)}</h1>`}`;
}

// A cancelled order's pieces still have to go back into stock.
const goesOn = ({ state, entries }) => state === "pending" || entries.some(({ gap }) => gap === "not yet");

const Crumbs = ({ item, user }) => html`<p class="crumbs"><a href="/ui/orders">Orders</a> / ${user && html`${user} / `}<span class="mono">${item}</span></p>`;

function Head({ data, item, onDone }) {
  const { order, state, title, subtitle } = data;
  const path = `/admin/orders/${encodeURIComponent(item)}`;
  return html`<section class="head">
    <${Crumbs} item=${order?.orderId || item} user=${order?.userId} />
    <h1 class=${state} tabindex="-1"><span class=${state === "stopped" ? "bad" : ""}><${Glyph} name=${state} /></span>${title}</h1>
    <p>${subtitle}</p>
    <div class="tools">
      <${AskFirst} path=${`${path}/resend`} question="Send its event again?" about=${RESENDS} verb="Send again" onDone=${onDone}>Resend</${AskFirst}>
      <${AskFirst} path=${`${path}/cancel`} question="Cancel this order?" about="This cannot be undone." verb="Cancel it"
        why=${whyNotCancelled(state)} onDone=${onDone}>Cancel the order</${AskFirst}>
      <${Copy} text=${JSON.stringify(data, null, 2)}>Copy as JSON</${Copy}>
    </div>
  </section>`;
}

const whyNotCancelled = (state) => (state === "cancelled" ? "It is cancelled already." : state === "rejected" ? "A rejected order has nothing to cancel." : "");

// The stops of the first way, with their places from 0 to 1. Close ones are moved apart, to be read.
function stopsOf(entries) {
  const seen = new Set();
  const stops = entries.filter((entry) => entry.onRuler && entry.at && !seen.has(entry.kind) && seen.add(entry.kind));
  if (stops.length < 2) return [];
  const gaps = stops.slice(1).map((stop, index) => Math.max(0, between(stops[index].at, stop.at)));
  const whole = gaps.reduce((sum, gap) => sum + gap, 0) || 1;
  const parts = gaps.map((gap) => Math.max(gap / whole, RULER.least));
  const sum = parts.reduce((total, part) => total + part, 0);
  let x = 0;
  return stops.map((stop, index) => {
    if (index) x += parts[index - 1] / sum;
    return { ...stop, x, gap: index ? stop.gap || span(gaps[index - 1]) : null, before: index ? x - parts[index - 1] / sum / 2 : null };
  });
}

const wholeOf = (entries) => {
  const stops = entries.filter((entry) => entry.onRuler && entry.at);
  return stops.length > 1 ? between(stops[0].at, stops.at(-1).at) : 0;
};

function Ruler({ entries }) {
  const stops = stopsOf(entries);
  if (!stops.length) return html`<div class="ruler none"></div>`;
  const at = (x) => `${(x * 100).toFixed(1)}%`;
  const last = stops.length - 1;
  const told = stops.map((stop) => `${stop.title}${stop.gap ? ` after ${stop.gap.replace("+", "")}` : ""}`).join(", ");
  return html`<figure class="ruler">
    <figcaption class="vh">The way, one stop after the other: ${told}.</figcaption>
    <svg aria-hidden="true"><svg x="1%" width="98%" height="76" overflow="visible">
      <line class="way" x1="0" x2="100%" y1=${RULER.y} y2=${RULER.y} />
      ${stops.map((stop, index) => html`<g class=${index === 0 || index === last ? "" : "roomy"}>
        <text class="strong" x=${at(stop.x)} y="64" text-anchor=${index === 0 ? "start" : index === last ? "end" : "middle"}>${stop.title}</text></g>
        ${stop.gap && html`<text x=${at(stop.before)} y="18" text-anchor="middle">${stop.gap.replace("+", "")}</text>`}
        <circle class="stop ${index === last && ENDS.includes(stop.mark) ? stop.mark : ""}" cx=${at(stop.x)} cy=${RULER.y} r="6" />`)}
    </svg></svg>
  </figure>`;
}

function Entry({ entry, next, whole }) {
  const { at, digits, gap, mark, title, detail, facts = [], place, record, path, source } = entry;
  const isOpen = mark === "missing";
  const isStopped = mark === "stopped";
  const isLate = next?.mark === "repeat";
  const kind = !next ? "last" : isStopped ? "stopped" : isOpen ? "open" : isLate ? "late" : "";
  const isLong = entry.onRuler && whole > 0 && gap && millis(gap) > whole * LATE_SHARE;
  return html`<li class="entry ${kind} ${isStopped ? "stopped" : ""} ${isOpen ? "open" : ""}">
    <p class="when">${at ? html`<${Time} at=${at} digits=${digits || 3} />` : html`<span class="faint">${gap || "unknown"}</span>`}${at && gap && html`<span class="gap ${isLong ? "long" : ""}">${gap}</span>`}</p>
    <div class="stem"><${Mark} name=${mark} /></div>
    <div class="told">
      <h2>${title}</h2>
      ${detail && html`<p>${detail}</p>`}
      ${place && html`<p class="mono place">${path ? html`<a href=${path}>${place}</a>` : place}</p>`}
      ${path && !place && html`<p><a href=${path}>The dead letter</a></p>`}
      ${facts.length > 0 && html`<dl class="row">${facts.map(([name, value]) => html`<dt>${name}</dt><dd class=${/id$/.test(name) ? "mono" : ""}>${typeof value === "number" ? number(value) : value}</dd>`)}</dl>`}
      ${record && html`<details class="record"><summary>The record</summary><${Record} record=${record} /></details>`}
    </div>
    <p class="source">${source}</p>
  </li>`;
}

const UNITS = { ms: 1, s: 1000, min: 60000, h: 3600000 };
function millis(gap) {
  const [, value, unit] = /([\d.,]+) (ms|s|min|h)/.exec(gap) || [];
  return value ? Number(value.replaceAll(",", "")) * UNITS[unit] : 0;
}
