// The outboxes' lanes, events that were set aside, and the log: topics, partitions, lag, members.

import { html, useState } from "./preact-htm.js";
import { useData } from "./api.js";
import { useLive } from "./live.js";
import { AskAct, Panel, PartProblem, Record, Time, Trouble } from "./parts.js";
import { Glyph } from "./shapes.js";
import { number, plural, span } from "./words.js";

const logName = (live) => (live.reading?.service.broker === "embedded" ? "log" : "Kafka");

export function Outbox() {
  const outbox = useData("/admin/outbox", { every: 2 });
  const kafka = useData("/admin/kafka", { every: 5 });
  const name = logName(useLive());
  return html`
    <section class="head"><h1 tabindex="-1">${headline(outbox.data)}</h1>
      <p>An event is recorded in the transaction of its cause. A relay sends it to ${name === "log" ? "the log" : name}, and consumers read it there.</p>
      </section>
    <div><${Panel} of=${outbox} rows=${4}>${({ databases }) => databases.map((each) => html`<${Database} key=${each.name} database=${each} onDone=${outbox.reload} />`)}</${Panel}></div>
    ${outbox.data && outbox.problem && html`<${Trouble} problem=${outbox.problem} onAgain=${outbox.reload} />`}
    <div><${Panel} of=${kafka} rows=${6}>${(data) => html`<${Log} data=${data} name=${name} />`}</${Panel}></div>`;
}

function headline(data) {
  if (!data) return "Outbox and log";
  const pending = data.databases.flatMap((each) => each.lanes || []).reduce((sum, lane) => sum + lane.pending, 0);
  const aside = data.databases.reduce((sum, each) => sum + (each.setAside || []).length, 0);
  if (aside) return `${plural(aside, "event was", "events were")} set aside`;
  return pending ? `${plural(pending, "event waits", "events wait")} for the relay` : "No event waits";
}

const Database = ({ database: { name, lanes = [], setAside = [], problem }, onDone }) => html`<section class="after">
  <h2>Outbox of the ${name} database</h2>
  <${PartProblem} text=${problem} />
  ${lanes.length > 0 && html`<table class="cards">
    <thead><tr><th>For the topic</th><th class="num">Waiting</th><th class="num">Oldest</th><th>Sent by</th><th class="num">Its turn ends in</th></tr></thead>
    <tbody>${lanes.map((lane) => html`<${Lane} key=${lane.topic} lane=${lane} />`)}</tbody></table>
    <p class="foot">One relay at a time sends the events of a topic. It renews its turn while it works; another relay takes over when the turn ends.</p>`}
  ${!lanes.length && !problem && html`<p class="none">No event waits, so no relay has anything to send.</p>`}
  ${setAside.length > 0 ? html`<h3>Set aside</h3>
    <table class="cards"><thead><tr><th>Event</th><th>Type</th><th>Order</th><th>Topic</th><th>Error</th><th>When</th></tr></thead>
    <tbody>${setAside.map((each) => html`<tr key=${each.id}><td class="mono cut">${each.id}</td><td class="nb">${each.type}</td>
      <td class="mono">${each.orderId ? html`<a class="plain" data-row href="/ui/orders/${each.orderId}">${each.orderId.slice(0, 8)}</a>` : "–"}</td>
      <td class="cut">${each.topic}</td><td class="wrap">${each.error}</td><td class="soft nb"><${Time} at=${each.at} /></td></tr>`)}</tbody></table>
    <${AskAct} path="/admin/outbox/requeue" body=${{ database: name }} verb="Requeue"
      noun="event" about="The relay tries them again." onDone=${onDone}>Requeue ${number(setAside.length)} …</${AskAct}>`
  : !problem && html`<p class="key"><span class="good"><${Glyph} name="check" /> No event was set aside.</span></p>`}
</section>`;

const Lane = ({ lane: { topic, pending, oldestSeconds, owner, leaseSeconds } }) => html`<tr><td>${topic}</td>
  <td class="num" data-name="waiting"><b>${number(pending)}</b></td>
  <td class="num" data-name="oldest">${oldestSeconds == null ? "–" : span(oldestSeconds * 1000)}</td>
  <td>${owner || html`<span class=${pending ? "bad" : "faint"}>nobody</span>`}</td>
  <td class="num" data-name="turn ends in">${leaseSeconds == null ? "–" : span(leaseSeconds * 1000)}</td></tr>`;

function Log({ data, name }) {
  const { topics = [], groups = [], connectors, connectorsProblem, problem } = data;
  const names = [...new Set(topics.flatMap((topic) => Object.keys(topic.lag || {})))];
  return html`<section class="after"><h2>${name === "log" ? "The log" : "Kafka"}</h2>
    <${PartProblem} text=${problem} />
    ${topics.length > 0 && html`<table class="cards"><thead><tr><th>Topic</th><th class="num">Partitions</th><th class="num">Replicas</th>
      <th class="num">In sync</th>${names.map((each) => html`<th class="num">Lag of ${each}</th>`)}</tr></thead>
      <tbody>${topics.map((topic) => html`<tr key=${topic.name}><td>${topic.name}</td>
        <td class="num" data-name="partitions">${number(topic.partitions?.length)}</td><td class="num" data-name="replicas">${number(topic.replication)}</td>
        <td class="num" data-name="in sync">${number(topic.inSync)}</td>
          ${names.map((each) => html`<td class="num" data-name=${`lag of ${each}`}>${topic.lag?.[each] == null ? "–" : html`<b>${number(topic.lag[each])}</b>`}</td>`)}</tr>`)}</tbody></table>`}
    ${topics.map((topic) => html`<${Topic} key=${topic.name} topic=${topic} />`)}
  </section>
  <section class="after"><h2>Consumer groups</h2>${groups.length ? html`<table class="cards"><thead><tr><th>Group</th><th>Members</th><th class="num">Lag</th>
    </tr></thead><tbody>${groups.map((group) => html`<tr key=${group.name}><td>${group.name}</td><td class="wrap">${members(group.members)}</td>
    <td class="num" data-name="lag"><b>${number(group.lag)}</b></td></tr>`)}</tbody></table>` : html`<p class="none">No group is known.</p>`}</section>
  ${!connectors && connectorsProblem && name !== "log" && html`<section class="after"><h2>Connectors</h2><p class="none">${connectorsProblem}</p></section>`}
  ${connectors && html`<section class="after"><h2>Connectors</h2><table class="cards"><thead><tr><th>Connector</th><th>State</th><th>Tasks</th></tr></thead>
    <tbody>${connectors.map((each) => html`<tr key=${each.name}><td>${each.name}</td><td class=${each.state === "RUNNING" ? "" : "bad"}>${each.state}</td>
    <td class="wrap">${(each.tasks || []).map((task) => (typeof task === "string" ? task : task.state)).join(", ")}</td></tr>`)}</tbody></table></section>`}`;
}

function members(found) {
  if (found == null) return html`<span class="faint">not known: the log on this machine has no members</span>`;
  if (typeof found === "number") return found ? plural(found, "member") : html`<span class="bad">nobody</span>`;
  if (!found?.length) return html`<span class="bad">nobody</span>`;
  return found.map((each) => (typeof each === "string" ? each : each.name || each.id || each.member)).join(", ");
}

function Topic({ topic }) {
  const [isOpen, setOpen] = useState(false);
  return html`<details class="record" onToggle=${(event) => setOpen(event.target.open)}><summary>
    <span>Partitions and newest records of <span class="mono">${topic.name}</span></span></summary>${isOpen && html`
    <table class="cards"><thead><tr><th class="num">Partition</th><th class="num">First</th><th class="num">End</th><th>Group</th><th class="num">Committed</th>
      <th class="num">Lag</th><th>Member</th></tr></thead>
    <tbody>${(topic.partitions || []).flatMap((each) => (each.groups?.length ? each.groups : [{}])
      .map((group) => html`<tr key=${`${each.partition}-${group.group}`}>
        <td class="num" data-name="partition">${each.partition}</td><td class="num" data-name="first">${number(each.first)}</td><td class="num" data-name="end">${number(each.end)}</td>
          <td>${group.group || "–"}</td><td class="num" data-name="committed">${number(group.committed)}</td><td class="num" data-name="lag"><b>${number(group.lag)}</b></td>
            <td class="wrap">${group.member || html`<span class="faint">–</span>`}</td></tr>`))}</tbody></table>
    <${Records} topic=${topic.name} />`}</details>`;
}

function Records({ topic }) {
  const found = useData(`/admin/kafka/${encodeURIComponent(topic)}/records?limit=20`);
  return html`<${Panel} of=${found} rows=${4}>${(data) => {
    const records = Array.isArray(data) ? data : data.records || [];
    return records.length ? html`<ol class="records">${records.map((each) => html`<li key=${each.place}><details class="record"><summary>
      <span class="mono">${each.place}</span> <${Time} at=${each.at} /> <span class="faint mono cut">${each.key}</span></summary><${Record} record=${each} />
      </details></li>`)}</ol><p><button class="quiet" type="button" onClick=${found.reload}>Read again</button></p>` : html`<p class="none">No record yet.</p>`;
  }}</${Panel}>`;
}
