// The shapes of the states. A shape says the state; its colour only helps.

import { html } from "./preact-htm.js";

const line = (width) => ({ fill: "none", stroke: "currentColor", "stroke-width": width });

export const Sheet = () => html`<svg class="glyphs" hidden aria-hidden="true">
  <symbol id="pending" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.2" ...${line(1.6)} /></symbol>
  <symbol id="confirmed" viewBox="0 0 12 12"><circle cx="6" cy="6" r="5" fill="currentColor" /></symbol>
  <symbol id="rejected" viewBox="0 0 12 12"><path d="M6 .4 11.6 6 6 11.6.4 6Z" fill="currentColor" /></symbol>
  <symbol id="cancelled" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.2" ...${line(1.6)} /><path d="M3 9 9 3" ...${line(1.6)} /></symbol>
  <symbol id="stopped" viewBox="0 0 12 12"><rect x="1.2" y="1.2" width="9.6" height="9.6" rx="1" ...${line(2.2)} /><path d="m3.8 3.8 4.4 4.4M8.2 3.8 3.8 8.2" ...${line(1.4)} /></symbol>
  <symbol id="missing" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.6" ...${line(1.4)} stroke-dasharray="2.2 1.8" /></symbol>
  <symbol id="check" viewBox="0 0 12 12"><path d="m1.5 6.5 3 3 6-7" ...${line(1.8)} /></symbol>
  <symbol id="cross" viewBox="0 0 12 12"><path d="m2 2 8 8M10 2l-8 8" ...${line(1.8)} /></symbol>
  <symbol id="warning" viewBox="0 0 12 12"><path d="M6 1.2 11.2 10.6H.8Z" ...${line(1.3)} /><path d="M6 4.6v3M6 8.4v1" ...${line(1.3)} /></symbol>
  <symbol id="again" viewBox="0 0 12 12"><path d="M10 6a4 4 0 1 1-1.3-3M10 .8v2.6H7.4" ...${line(1.5)} /></symbol>
  <symbol id="hold" viewBox="0 0 12 12"><path d="M3.5 1.5v9M8.5 1.5v9" ...${line(2)} /></symbol>
  <symbol id="copy" viewBox="0 0 12 12"><path d="M4 4h6.5v7H4zM1.5 8.5V1H8" ...${line(1.3)} /></symbol>
  <symbol id="cut" viewBox="0 0 12 12"><path d="M0 6h4M8 6h4M4.6 9.5 7.4 2.5" ...${line(1.6)} /></symbol>
</svg>`;

export const Glyph = ({ name }) => html`<svg class="glyph" aria-hidden="true"><use href="#${name}" /></svg>`;

const hole = { class: "hole", stroke: "currentColor" };
const MARKS = {
  passed: html`<circle ...${hole} cx="11" cy="11" r="8.5" stroke-width="4" />`,
  confirmed: html`<circle cx="11" cy="11" r="10.5" fill="currentColor" />`,
  rejected: html`<path d="M11 0 22 11 11 22 0 11Z" fill="currentColor" />`,
  cancelled: html`<circle ...${hole} cx="11" cy="11" r="8.5" stroke-width="3" /><path d="M5 17 17 5" ...${line(3)} />`,
  stopped: html`<rect ...${hole} x="2.5" y="2.5" width="17" height="17" rx="2" stroke-width="4" /><path d="m7 7 8 8M15 7l-8 8" ...${line(2.4)} />`,
  hold: html`<circle class="hole" cx="11" cy="11" r="11" /><path d="M7 3v16M15 3v16" ...${line(4)} />`,
  repeat: html`<circle class="hole" cx="11" cy="11" r="11" /><path d="M17.5 11a6.5 6.5 0 1 1-2-4.7M17.8 2.6v4.2h-4.2" ...${line(2.2)} />`,
  missing: html`<circle ...${hole} cx="11" cy="11" r="8.5" stroke-width="2" stroke-dasharray="3.4 2.6" />`,
};

// A stop of the line: on the map of the road, and in an order's journey.
export const Mark = ({ name }) =>
  html`<svg class="mark ${name === "missing" ? "thin" : name}" viewBox="0 0 22 22" aria-hidden="true">${MARKS[name] || MARKS.passed}</svg>`;

const DOTS_MOST = 60;

// Dots in a row, of practice: so many confirmed, rejected, pending.
export function Dots({ confirmed = 0, rejected = 0, cancelled = 0, pending = 0 }) {
  const all = [...Array(confirmed).fill("confirmed"), ...Array(rejected).fill("rejected"), ...Array(cancelled).fill("cancelled"), ...Array(pending).fill("pending")];
  const rest = all.length - DOTS_MOST;
  return html`<p class="tracks" aria-hidden="true">${all.slice(0, DOTS_MOST).map((name) => html`<span class="state ${name}"><${Glyph} name=${name} /></span>`)}${rest > 0 && html`<span class="small faint">and ${rest} more</span>`}</p>`;
}
