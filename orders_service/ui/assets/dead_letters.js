// Dead letters: records that could not be read or applied, in groups, and what to do with them.

import { html, useEffect, useState } from "./preact-htm.js";
import { query, useData } from "./api.js";
import { AskAct, Button, Command, Outcome, Panel, PartProblem, Question, Record, Time, Trouble, useAction } from "./parts.js";
import { Glyph } from "./shapes.js";
import { capital, clock, number, plural, quoted } from "./words.js";

const ROOT = "/admin/dead-letters";
const MEMBERS = 20;
const NOTE_MAX = 255; // As the service takes it.
const named = (reason) => capital(String(reason || "").replaceAll("-", " "));
const selectionOf = (group) => Object.fromEntries(["reason", "error", "group"].filter((name) => group[name]).map((name) => [name, group[name]]));
const isSame = (one, other) => ["reason", "error", "group"].every((name) => (one[name] || "") === (other[name] || ""));

export function DeadLetters({ item, params }) {
  const found = useData(`${ROOT}/groups`, { every: 5 });
  const letter = useData(item ? `${ROOT}/${encodeURIComponent(item)}` : "");
  const reload = () => (found.reload(), letter.reload());
  return html`<${Panel} of=${found} rows=${8}>${({ groups, waiting, onHold, more, problem }) => {
    const chosen = chosenOf(groups, item, params, letter.data);
    return html`
      <${Head} waiting=${waiting} onHold=${onHold} more=${more} onDone=${reload} />
      <${PartProblem} text=${problem} />
      ${found.problem && html`<${Trouble} problem=${found.problem} onAgain=${found.reload} />`}
      ${groups.length > 0 || item ? html`<div class="halves">
        <ol class="groups" aria-label="Groups, by reason and first line of the error">
          ${groups.map((group) => html`<${Group} key=${JSON.stringify(selectionOf(group))} group=${group} isChosen=${group === chosen} item=${item} onDone=${reload} />`)}</ol>
        ${item ? html`<${Letter} key=${item} item=${item} letter=${letter} onDone=${reload} />`
          : html`<p class="letter soft">Choose a record to see it, its history, and what can be done with it.</p>`}
      </div>` : null}`;
  }}</${Panel}>
  ${found.data == null && html`<h1 class="vh" tabindex="-1">Dead letters</h1>`}`;
}

function chosenOf(groups, item, params, letter) {
  const wanted = Object.fromEntries(["reason", "error", "group"].map((name) => [name, params.get(name) ?? undefined]));
  const byQuery = params.has("reason") && groups.find((group) => isSame(group, wanted));
  const bySample = item && groups.find((group) => group.sample === item);
  const byLetter = letter && groups.find((group) => isSame(group, letter));
  return byQuery || bySample || byLetter || (item ? null : groups[0]);
}

function Head({ waiting, onHold, more, onDone }) {
  const title = waiting ? `${number(waiting)}${more ? " or more" : ""} dead ${waiting === 1 ? "letter waits" : "letters wait"} for a decision` : "No dead letter waits";
  return html`<section class="head">
    <h1 tabindex="-1">${!waiting && html`<span class="good"><${Glyph} name="check" /></span>`}${title}</h1>
    <p>A record that cannot be read or applied does not stop the others. It is kept here until somebody replays or discards it.
      ${onHold > 0 && ` ${number(onHold)}\u00a0more ${onHold === 1 ? "is" : "are"} on hold.`}</p>
    ${waiting > 1 && html`<div class="tools">
      <${AskAct} path=${`${ROOT}/replay`} body=${{ all: true }} verb="Replay" noun="dead letter" onDone=${onDone} about=${REPLAYS}>Replay all ${number(waiting)} …</${AskAct}>
      <${AskAct} path=${`${ROOT}/discard`} body=${{ all: true }} verb="Discard" noun="dead letter" onDone=${onDone} about=${DISCARDS}>Discard all ${number(waiting)} …</${AskAct}>
    </div>`}
  </section>`;
}

const REPLAYS = "Each is handed to its handler again, in a transaction of its own.";
const DISCARDS = "Each is given up. A placed order that can be read is answered REJECTED (discarded).";

function Group({ group, isChosen, item, onDone }) {
  const waits = group.count - group.onHold;
  const body = selectionOf(group);
  const address = `/ui/dead-letters/${encodeURIComponent(group.sample)}` + query(selectionOf(group));
  return html`<li class="group" aria-current=${isChosen ? "true" : undefined}>
    <h2><a class="whole" data-row data-same href=${address}>${named(group.reason)}</a> ${group.onHold > 0 && html`<span class="state"><${Glyph} name="hold" />
      <span class="small soft">${number(group.onHold)} on hold</span>
      </span>`} ${(waits > 0 || !group.onHold) && html`<span class="count">${number(waits)}</span>`}</h2>
    <p class="line">${group.error}</p>
    <p class="meta"><span>${group.group}</span><span><${Time} at=${group.firstAt} />${clock(group.lastAt) !== clock(group.firstAt) && html` to <${Time} at=${group.lastAt} />`}</span></p>
    ${isChosen && html`<${Members} key=${`${group.count}-${group.onHold}`} group=${group} item=${item} />`}
    ${isChosen && group.count > 1 && html`<div class="group-acts">
      ${waits > 0 && html`<${AskAct} path=${`${ROOT}/replay`} body=${body} verb="Replay" noun="dead letter" about=${REPLAYS} onDone=${onDone}>Replay this group …</${AskAct}>
      <${AskAct} path=${`${ROOT}/discard`} body=${body} verb="Discard" noun="dead letter" about=${DISCARDS} onDone=${onDone}>Discard this group …</${AskAct}>
      <${AskAct} path=${`${ROOT}/hold`} body=${body} verb="Hold" noun="dead letter" about="They are kept, but not counted." onDone=${onDone}>Hold …</${AskAct}>`}
      ${group.onHold > 0 && html`<${AskAct} path=${`${ROOT}/release`} body=${body} verb="Release"
        noun="dead letter" about="They wait for a decision again, and are counted." onDone=${onDone}>Release …</${AskAct}>`}
    </div>`}
  </li>`;
}

function Members({ group, item }) {
  const list = useData(ROOT + query({ ...selectionOf(group), limit: MEMBERS }), { every: 10 });
  const letters = list.data?.deadLetters || [];
  if (list.problem && !list.data) return html`<${Trouble} problem=${list.problem} onAgain=${list.reload} />`;
  return html`<ol class="members">${letters.map((each) => html`<li key=${each.recordId}>
    <a data-row data-same href=${`/ui/dead-letters/${encodeURIComponent(each.recordId)}` + query(selectionOf(group))} aria-current=${each.recordId === item ? "true" : undefined}>${each.recordId}</a>
    <span class="faint">${each.state === "hold" && html`<${Glyph} name="hold" /> on hold, `}<${Time} at=${each.at} /></span></li>`)}</ol>`;
}

const isDecided = ({ state }) => state === "replayed" || state === "discarded";

function Letter({ item, letter, onDone }) {
  const [done, setDone] = useState(null); // It stays when the buttons have gone.
  if (letter.problem?.status === 404) return html`<section class="letter"><h2>${item}</h2><p class="soft">There is no such dead letter. It may have been deleted since.</p></section>`;
  return html`<section class="letter" aria-label="The record"><${Panel} of=${letter} rows=${5}>${(data) => html`
    <h2>${data.recordId}</h2>
    <p class="soft">${named(data.reason)}, given up on by ${data.group} at <${Time} at=${data.at} />. ${data.orderId
      ? html`It is about order <a class="mono" href="/ui/orders/${data.orderId}">${data.orderId.slice(0, 8)}</a>.` : "No order id can be read from it."}</p>
    <dl class="row"><dt>error</dt><dd>${data.detail}</dd></dl>
    <${Record} record=${data.record || {}} />
    ${data.record == null && html`<p class="soft">The record itself is no longer kept.</p>`}
    <${Decide} letter=${data} onDone=${(answer) => (setDone(answer), onDone())} />
    ${isDecided(data) && html`<${Outcome} done=${done} />`}
    <${History} letter=${data} />`}</${Panel}></section>`;
}

const GIVES_UP = "Give it up. A placed order that can be read is answered REJECTED (discarded).";

function Decide({ letter, onDone }) {
  const { recordId, state } = letter;
  const [note, setNote] = useState(letter.note || "");
  if (isDecided(letter)) return null;
  const pause = state === "hold"
    ? ["release", "Release", "It waits for a decision again, and is counted."]
    : ["hold", "Hold", "Keep it, but do not count it. Say in the note what it waits for."];
  const decisions = [["replay", "Replay", "Hand it to its handler again."], ["discard", "Discard", GIVES_UP], pause];
  return html`<div class="acts">
    <p class="field"><label for="note">Note, kept with the decision</label><input id="note" type="text" maxlength=${NOTE_MAX} value=${note}
      onInput=${(event) => setNote(event.target.value)} placeholder="a ticket, a person, a date" /></p>
    ${decisions.map(([verb, name, about]) => html`<${Decision} key=${verb === "release" ? "hold" : verb} verb=${verb} name=${name} about=${about}
      recordId=${recordId} note=${note} onDone=${onDone} />`)}
  </div>`;
}

// What is discarded stays so: it asks first.
function Decision({ verb, name, about, recordId, note, onDone }) {
  const [isAsked, setAsked] = useState(false);
  const action = useAction(`${ROOT}/${verb}`, { onDone: (answer) => (setAsked(false), onDone(answer)) });
  const run = () => action.run({ recordId, ...(note ? { note } : {}) });
  const command = `orders-service dead-letters ${verb} ${quoted(recordId)}${note ? ` --note ${quoted(note)}` : ""}`;
  const ask = () => (action.clear(), setAsked(true));
  return html`<div class="act">
    <${Button} isBusy=${action.isBusy} onClick=${verb === "discard" ? ask : run}>${name}</${Button}>
    <div><p>${about}</p><${Command} text=${command} />
      ${isAsked && html`<${Question} label="Discard it?" verb="Discard it" isBusy=${action.isBusy} onYes=${run} onNo=${() => setAsked(false)}>
        <b>Discard it?</b> <span class="soft">This cannot be undone.</span></${Question}>`}
      <${Outcome} done=${action.done} isBare /></div>
  </div>`;
}

// The row of a letter has its present state only; what was done before is among the newest actions.
const VERBS = { hold: "hold", replayed: "replay", discarded: "discard" };

function History({ letter }) {
  const { data, reload } = useData("/admin/actions");
  useEffect(() => reload(), [letter.state, letter.stateAt]);
  const done = (data?.actions || []).filter(({ action, on }) => on === letter.recordId && action.startsWith("dead-letters "));
  const present = done.findIndex(({ action }) => action === `dead-letters ${VERBS[letter.state]}`);
  const before = done.filter((_, index) => index !== present);
  return html`<h3 id="history">History</h3>
  <ol class="history" aria-labelledby="history">
    ${letter.state !== "waiting" && letter.stateAt && html`<li><${Time} at=${letter.stateAt} />
      <span>${letter.by || "somebody"} ${letter.state === "hold" ? "put it on hold" : `${letter.state} it`}${letter.note ? `: ${letter.note}` : ""}</span>
      </li>`}
    ${before.map(({ at, by, action, outcome }) => html`<li key=${at}><${Time} at=${at} /><span>${by}, ${action.slice(13)}: ${outcome}</span></li>`)}
    <li><${Time} at=${letter.at} /><span>given up on by ${letter.group}: ${named(letter.reason).toLowerCase()}</span></li>
  </ol>`;
}
