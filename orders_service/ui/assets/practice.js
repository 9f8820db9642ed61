// Practice, in `orders-service run` only: break something, and watch what holds.

import { html } from "./preact-htm.js";
import { useData } from "./api.js";
import { useLive } from "./live.js";
import { Button, Outcome, Panel, Time, Trouble, Verdict, useAction } from "./parts.js";
import { Dots } from "./shapes.js";
import { capital, number, plural } from "./words.js";

export function Practice() {
  const practice = useData("/admin/practice", { every: 1 });
  const { reading } = useLive();
  const isAbsent = practice.problem?.status === 404;
  if (isAbsent) return html`<section class="head"><h1 tabindex="-1">Practice</h1><p>It exists in <code>orders-service run</code> only: nobody breaks a real deployment from a page.</p></section>`;
  return html`
    <section class="head"><h1 tabindex="-1">Practice</h1><p>Break something and watch what holds.
      Its orders are of the user <b>practice</b>, for the product <b>PRACTICE-001</b>, which it supplies itself: you find them under Orders and Stock.
      This screen exists in <code>orders-service run</code> only: the databases and the log are on this machine.</p></section>
    <${Equation} stock=${reading?.stock} />
    <${Panel} of=${practice} rows=${8}>${({ faults }) => faults.map((fault) => html`
      <${Fault} key=${fault.name} fault=${fault} onDone=${practice.reload} reading=${reading} />`)}</${Panel}>
    ${practice.data && practice.problem && html`<${Trouble} problem=${practice.problem} onAgain=${practice.reload} />`}`;
}

const Equation = ({ stock }) =>
  stock
    ? html`<p class="equation"><span class="nb"><b>${number(stock.stock)}</b><span class="soft">in stock</span></span> <span class="nb">
      <span class="sign">+</span><b>${number(stock.reserved)}</b><span class="soft">reserved</span></span> <span class="nb">
      <span class="sign">${stock.addsUp ? "=" : "≠"}</span><b>${number(stock.supplied)}</b><span class="soft">supplied</span>
      </span> <${Verdict} isGood=${stock.addsUp} good=${`adds up, for each of ${plural(stock.products, "product")}`} bad="does not add up" />
      <span class="faint">checked at <${Time} at=${stock.checkedAt} /></span></p>`
    : html`<p class="equation soft">The sum of the stock is not known yet.</p>`;

function Fault({ fault, reading, onDone }) {
  const { name, title, about, state, button, ended } = fault;
  const action = useAction(`/admin/practice/${name}`, { onDone });
  const isStopped = state === "stopped";
  return html`<section class="fault">
    <h2>${title}</h2>
    <div class="told"><p>${about}</p>
      <${Button} isMain=${isStopped} isBusy=${action.isBusy || state === "running"} why=${fault.why || ""} onClick=${() => action.run({})}>${button}</${Button}>
      ${fault.why && html`<p class="small faint">${fault.why}</p>`}</div>
    <div class="outcome" aria-live="polite">
      ${ended ? html`<p>${ended}</p>` : !action.done && html`<p class="faint">${state === "running" ? "It runs …" : isStopped ? "It is stopped." : "Not tried yet"}</p>`}
      ${fault.counts ? html`<${Dots} ...${fault.counts} />` : isStopped && html`<${Waiting} reading=${reading} />`}
      ${(fault.path || fault.docs) && html`<p>${fault.path && html`<a href=${fault.path}>Look at it</a>`} ${fault.docs && html`<span class="small faint">${why(fault.docs)}</span>`}</p>`}
      <${Outcome} done=${ended && action.done?.started ? null : action.done} />
    </div>
  </section>`;
}

// `docs/faults.md#a-title`: the pages are beside the code, and have no address here.
function why(docs) {
  const [file, title] = docs.split("#");
  return html`Why: see “${capital(title.replaceAll("-", " "))}” in the file <span class="mono">${file}</span>`;
}

function Waiting({ reading }) {
  const waiting = reading?.stations.find((each) => each.name === "orders")?.waiting?.count || 0;
  return waiting ? html`<p>${plural(waiting, "event waits", "events wait")} in the outbox.</p><${Dots} pending=${waiting} />` : null;
}
