// The road: five stations, what passes and what waits, and the orders of the last 30 s.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { history, useLive } from "./live.js";
import { Command, Copy, PartProblem, Sum, Time, Verdict } from "./parts.js";
import { AnswerTimes, LastOrders, Spark } from "./plots.js";
import { Glyph, Mark } from "./shapes.js";
import { number, plural, rate, span } from "./words.js";

const QUEUE_FROM = 5; // Fewer come and go within a reading; a drawing of them would only flicker.
const QUEUE_MOST = 57; // Three rows.
const RIDERS_MOST = 3;
const RELAY = "orders-service orders-relay";

export function Road({ isPaused, onPause }) {
  const live = useLive();
  const kept = useRef(null);
  if (!isPaused || !kept.current) kept.current = live.reading;
  const reading = kept.current;
  if (!reading) return html`<${Opening} />`;
  return html`
    <${Headline} reading=${reading} isPaused=${isPaused} onPause=${onPause} />
    <${Map} reading=${reading} isPaused=${isPaused || live.mode === "lost"} />
    <div class="below">
      <${LastOrders} recent=${reading.recent} at=${reading.at} />
      <${AnswerTimes} answers=${history.answers} now=${reading.answers} />
      <${Stock} stock=${reading.stock} problem=${reading.stations.find((each) => each.name === "catalog")?.problem} />
    </div>`;
}

function Opening() {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return html`<h1 class="vh" tabindex="-1">Road</h1><div class="shapes tall" aria-busy="true">${isSlow && html`<span class="vh">Loading</span><i></i><i></i><i></i><i></i>`}</div>`;
}

function Headline({ reading, isPaused, onPause }) {
  const { level, title, detail, command, advice } = reading.headline;
  const isPractice = reading.service.practice && command === RELAY; // In `run`, a second relay would find no work.
  const isWell = level === "well";
  const dead = reading.deadLetters?.waiting;
  return html`<section class="head">
    <h1 tabindex="-1"><span class=${isWell ? "good" : "bad"}><${Glyph} name=${isWell ? "check" : "stopped"} /></span>${title}</h1>
    <p class="tools"><button class="button" type="button" aria-pressed=${isPaused} onClick=${onPause}>${isPaused ? "Go on drawing" : "Pause the drawing"} <kbd>P</kbd></button></p>
    <p>${detail}${dead && isWell ? html` <a href="/ui/dead-letters">${plural(dead, "dead letter")}</a> ${dead === 1 ? "waits" : "wait"} for a decision.` : ""}${isPaused && html` <b>Paused at <${Time} at=${reading.at} />.</b>`}</p>
    ${isPractice && html`<div class="remedy"><p>If the practice stopped it: <a class="button" href="/ui/practice">Start the relay</a></p></div>`}
    ${!isPractice && (command || advice) && html`<div class="remedy"><${Command} text=${command} />${advice && html`<p>${advice}</p>`}</div>`}
  </section>`;
}

function Map({ reading, isPaused }) {
  const { stations, answers } = reading;
  const broken = stations.findIndex((each) => each.state === "stopped");
  const isIdle = (index) => broken >= 0 && index >= broken;
  return html`<section class="road ${isPaused ? "paused" : ""}" aria-label="The way of an order">
    <p class="back ${broken >= 0 ? "idle" : ""}">
      <svg class="arrow" viewBox="0 0 12 8" aria-hidden="true"><path d="M1 1l5 6 5-6" fill="none" stroke="currentColor" stroke-width="2" /></svg>
      <span>${wayBack(answers, broken >= 0)}</span>
    </p>
    <div class="labels" aria-hidden="true"><span>per second</span><span>waiting</span><span>oldest</span><span>handled by</span><span>last error</span></div>
    <ol>${stations.map((station, index) => html`<${Station} key=${station.name} station=${station} next=${stations[index + 1]} isIdle=${isIdle(index)} />`)}</ol>
  </section>`;
}

function wayBack(answers, isBroken) {
  const median = answers?.medianMs != null ? span(answers.medianMs) : null;
  if (isBroken) {
    const pause = answers?.secondsSinceLast != null ? `no answer for ${span(answers.secondsSinceLast * 1000)}` : "no answer";
    return `The answer goes back to the order’s row: ${pause}${median ? `, before that half within ${median}` : ""}`;
  }
  return median ? `The answer goes back to the order’s row, half of them within ${median}` : "The answer goes back to the order’s row";
}

function Station({ station, next, isIdle }) {
  const { name, title, about, state, perSecond, problem } = station;
  const waiting = next && next.name !== "kafka" ? next.waiting : null;
  const drawn = waiting && (waiting.count >= QUEUE_FROM || (next.state === "stopped" && waiting.count)) ? waiting.count : 0;
  const riders = !isIdle && perSecond > 0 ? Math.min(RIDERS_MOST, Math.ceil(perSecond / 2)) : 0;
  const mark = state === "stopped" ? "stopped" : state === "unknown" ? "missing" : "passed";
  return html`<li class="station ${state} ${isIdle ? "idle" : ""}">
    <div class="rail">
      <${Mark} name=${mark} />
      <span class="riders" aria-hidden="true">${Array.from({ length: riders }, (_, index) => html`<i key=${index}></i>`)}</span>
      ${drawn > 0 && html`<span class="queue" aria-hidden="true">${Array.from({ length: Math.min(drawn, QUEUE_MOST) }, (_, index) => html`<i key=${index}></i>`)}</span>`}
      ${drawn > QUEUE_MOST && html`<span class="queued" aria-hidden="true">${number(drawn)} wait</span>`}
    </div>
    <div class="what">
      <h2>${title}${state !== "well" && html` <span class="sign">${state}</span>`}</h2>
      <p>${about}</p>
      <${PartProblem} text=${problem} />
    </div>
    <dl>
      <div><dt>per second</dt><dd class="rate"><b>${rate(perSecond)}</b><${Spark} values=${history.rates[name] || []} /></dd></div>
      <${Waiting} station=${station} />
      <${Fact} name="oldest" value=${station.oldestSeconds == null ? null : span(station.oldestSeconds * 1000)} isBad=${state === "stopped"} />
      <${Fact} name="handled by" value=${station.heldBy} unit=${station.heldDetail} isBad=${station.heldBy === "nobody"} />
      <div class=${station.lastError ? "" : "calm"}><dt>last error</dt>${station.lastError ? html`<dd><${LastError} error=${station.lastError} /></dd>` : html`<dd class="faint">none</dd>`}</div>
    </dl>
  </li>`;
}

const Waiting = ({ station: { waiting, state } }) =>
  waiting == null
    ? html`<${Fact} name="waiting" />`
    : html`<div><dt>waiting</dt><dd class=${state === "stopped" ? "bad" : ""}><b class="waits">${number(waiting.count)}</b> <span class="unit">${waiting.of}</span></dd></div>`;

const Fact = ({ name, value, unit, isBad }) =>
  value == null
    ? html`<div class="calm"><dt>${name}</dt><dd class="faint">–</dd></div>`
    : html`<div><dt>${name}</dt><dd class=${isBad ? "bad" : ""}>${value} ${unit && html`<span class="unit">${unit}</span>`}</dd></div>`;

function LastError({ error }) {
  const text = html`<${Time} at=${error.at} /> ${error.text}`;
  return error.path?.startsWith("/ui/") ? html`<a href=${error.path}>${text}</a>` : text;
}

function Stock({ stock, problem }) {
  if (!stock) return html`<section><h2>The stock</h2><p class="soft">${problem || "The sum is not known yet."}</p></section>`;
  const wrong = plural(stock.wrongProducts, "product");
  return html`<section>
    <h2>${stock.addsUp ? "The stock adds up" : "The stock does not add up"}</h2>
    <${Sum} stock=${stock} />
    <p class="key"><${Verdict} isGood=${stock.addsUp} good=${`for each of ${plural(stock.products, "product")}`}
      bad=${html`${wrong} wrong: <a href="/ui/stock">look</a>`} /> <span class="faint">checked at <${Time} at=${stock.checkedAt} /></span></p>
  </section>`;
}
