// The doctor: what was looked at, what was seen, and what to do. And what was done from here.

import { html } from "./preact-htm.js";
import { useData } from "./api.js";
import { Button, Command, Outcome, Panel, PartProblem, Time, Trouble, useAction } from "./parts.js";
import { Glyph } from "./shapes.js";
import { ago, capital, plural, span } from "./words.js";

const LEVELS = { wrong: ["stopped", "wrong"], away: ["cross", "down"], warning: ["warning", "warning"], fine: ["check", "fine"] };

export function Doctor() {
  const doctor = useData("/admin/doctor", { every: (found) => (found.running ? 1 : 10) });
  const actions = useData("/admin/actions", { every: 10 });
  const run = useAction("/admin/doctor/runs", { onDone: doctor.reload });
  return html`
    <section class="head">
      <h1 tabindex="-1">${headline(doctor.data)}</h1>
      <p>${age(doctor.data)}</p>
      <div class="tools"><${Button} isMain=${!doctor.data?.at} isBusy=${run.isBusy} why=${doctor.data?.running ? "It is looking." : ""} onClick=${() => run.run({})}>${doctor.data?.at ? "Look again" : "Look now"}</${Button}><${Outcome} done=${run.done} isBare /></div>
    </section>
    <${Panel} of=${doctor}>${({ findings = [], command }) => html`
      <${Command} text=${command} />
      ${doctor.problem && html`<${Trouble} problem=${doctor.problem} onAgain=${doctor.reload} />`}
      <ul class="findings">${[...findings].sort((one, other) => order(one) - order(other)).map((each) => html`<${Finding} key=${each.check} finding=${each} />`)}</ul>`}</${Panel}>
    <section class="after"><h2>What was done from here</h2><${Panel} of=${actions} rows=${3}>${(data) => html`<${PartProblem} text=${data.problem} /><${Actions} actions=${data.actions} />`}</${Panel}></section>`;
}

const order = ({ level }) => Object.keys(LEVELS).indexOf(level);

function headline(data) {
  if (!data?.at) return data?.running ? "The doctor is looking" : "The doctor has not looked yet";
  const bad = data.findings.filter((each) => each.level === "wrong" || each.level === "away").length;
  const odd = data.findings.filter((each) => each.level === "warning").length;
  if (bad) return `${plural(bad, "thing is", "things are")} wrong`;
  return odd ? `Nothing is wrong; ${plural(odd, "warning")}` : "Everything is fine";
}

const age = (data) => (data?.at ? html`Looked ${ago(data.at)}, at <${Time} at=${data.at} />, for ${span(data.seconds * 1000)}.${data.running ? " It is looking again." : ""}` : "It checks the settings, the databases, the log, the consumers, and whether the stock adds up. It changes nothing.");

function Finding({ finding: { check, level, seen, do: advice } }) {
  const [glyph, word] = LEVELS[level] || LEVELS.warning;
  const colour = level === "fine" ? "good" : level === "warning" ? "" : "bad";
  return html`<li class="finding"><p class="state ${colour}"><${Glyph} name=${glyph} />${word}</p><div><h2>${capital(check)}</h2><p class="soft">${seen}</p>${advice && html`<p class="advice">${advice}</p>`}</div></li>`;
}

const Actions = ({ actions }) =>
  actions.length
    ? html`<table class="cards"><thead><tr><th>When</th><th>By</th><th>Action</th><th>On</th><th>Outcome</th></tr></thead><tbody>${actions.map((each) => html`<tr><td class="soft nb"><${Time} at=${each.at} /></td><td class="cut">${each.by}</td><td>${each.action}</td><td class="wrap mono">${each.on}</td><td class="wrap soft">${each.outcome}</td></tr>`)}</tbody></table>`
    : html`<p class="none">Nothing yet. Each action is written down here: who, when, what.</p>`;
