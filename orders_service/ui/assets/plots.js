// Small drawings: a line of the last minute, dots of the last 30 s, times to the answer.

import { html } from "./preact-htm.js";
import { State, Time } from "./parts.js";
import { number, plural, span } from "./words.js";

const ROWS = 5; // Dots above each other.
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const SHARES = ["confirmed", "rejected", "cancelled", "pending"];
const SPARK = { width: 72, height: 16, seconds: 60 };
const PLOT = { width: 300, height: 76, top: 12 };

export function Spark({ values }) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => {
    const x = SPARK.width - (values.length - 1 - index) * (SPARK.width / (SPARK.seconds - 1));
    const y = SPARK.height - 1 - ((value || 0) / most) * (SPARK.height - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return html`<svg class="spark" viewBox="0 0 72 16" preserveAspectRatio="none" aria-hidden="true"><polyline class="curve" points=${points.join(" ")} /></svg>`;
}

export function LastOrders({ recent, at }) {
  if (!recent) return html`<section><h2>Orders of the last 30 s</h2><p class="soft">They are not known: the orders database does not answer.</p></section>`;
  const { seconds, bySecond, placed } = recent;
  const totals = bySecond.map((second) => SHARES.reduce((sum, name) => sum + (second[name] || 0), 0));
  const one = STEPS.find((step) => Math.max(...totals, 0) <= step * ROWS) || STEPS.at(-1);
  const said = SHARES.filter((name) => recent[name]).map((name) => `${number(recent[name])} ${name}`);
  return html`<section>
    <h2>Orders of the last ${seconds} s <span>${one > 1 ? `a dot is ${one} orders; ` : ""}${plural(placed, "order")}</span></h2>
    <svg class="plot dots" role="img" aria-label=${`${plural(placed, "order")} by second: ${said.join(", ") || "none"}.`}>
      <line class="grid" x1="0" x2="100%" y1="75.5" y2="75.5" />
      ${bySecond.map((second, index) => column(second, (100 * (index + 0.5)) / bySecond.length, one))}
    </svg>
    <p class="axis"><${Time} at=${bySecond[0]?.at} /><${Time} at=${at} /></p>
    <p class="key">${SHARES.filter((name) => recent[name] || name === "confirmed").map((name) => html`<${State} name=${name}>${number(recent[name])} ${name}</${State}>`)}</p>
  </section>`;
}

function column(second, x, one) {
  const dots = SHARES.flatMap((name) => Array(Math.ceil((second[name] || 0) / one)).fill(name));
  return dots.slice(0, ROWS + 1).map((name, row) => dot(name, `${x.toFixed(1)}%`, 68 - row * 12));
}

function dot(name, x, y) {
  if (name === "rejected") return html`<svg x=${x} y=${y} overflow="visible"><path class="r" d="M0-5.2 5.2 0 0 5.2-5.2 0z" /></svg>`;
  if (name === "cancelled") return html`<svg x=${x} y=${y} overflow="visible"><circle class="p" r="3.4" /><path class="x" d="M-2.4 2.4 2.4-2.4" /></svg>`;
  return html`<circle class=${name === "confirmed" ? "c" : "p"} cx=${x} cy=${y} r=${name === "confirmed" ? 4.2 : 3.4} />`;
}

export function AnswerTimes({ answers, now }) {
  const title = "Time to the answer";
  if (!answers.length) return html`<section><h2>${title}</h2>
    <p class="soft">${now?.waiting ? `${plural(now.waiting, "order")} wait for the first one.` : "No answer yet. Place an order, and its time stands here."}</p>
    </section>`;
  const highest = top(Math.max(...answers.map((each) => each.p99Ms ?? each.medianMs)));
  const first = answers[0].at;
  const last = answers.at(-1);
  const most = last.measured >= 100 ? "99 of 100" : last.measured > 1 ? `all ${last.measured}` : "the only one";
  const whole = Math.max(1, new Date(last.at) - new Date(first));
  const line = (name) => {
    const points = answers.filter((each) => each[name] != null).map((each) => {
      const x = ((new Date(each.at) - new Date(first)) / whole) * PLOT.width;
      return `${x.toFixed(1)},${(PLOT.height - (each[name] / highest) * (PLOT.height - PLOT.top)).toFixed(1)}`;
    });
    return points.length > 1 ? points.join(" ") : `0,${points[0]?.split(",")[1]} ${PLOT.width},${points[0]?.split(",")[1]}`;
  };
  return html`<section>
    <h2>${title} <span>since this page was opened</span></h2>
    <svg class="plot" role="img" aria-label=${`Half within ${span(last.medianMs)}, ${most} within ${span(last.p99Ms)}.`}>
      <line class="grid" x1="0" x2="100%" y1="75.5" y2="75.5" /><line class="grid" x1="0" x2="100%" y1="12.5" y2="12.5" />
      <text x="0" y="8">${span(highest)}</text>
      <svg viewBox="0 0 300 76" preserveAspectRatio="none" width="100%" height="76"><polyline class="curve second" points=${line("p99Ms")} /><polyline class="curve" points=${line("medianMs")} /></svg>
    </svg>
    <p class="axis"><${Time} at=${first} /><${Time} at=${last.at} /></p>
    <p class="key"><span><i class="swatch"></i><span class="soft">half within</span> ${span(last.medianMs)}</span>
      <span><i class="swatch second"></i><span class="soft">${most} within</span> ${span(last.p99Ms)}</span></p>
  </section>`;
}

// The next round number above: 20, 30, 60, 100, 200 …
function top(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 3, 6, 10].map((each) => each * power).find((each) => each >= value);
}
