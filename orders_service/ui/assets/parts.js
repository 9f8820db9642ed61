// What every screen is made of: times, states, commands, panels, and buttons that say what they did.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { Problem, act, isAnswered, newKey } from "./api.js";
import { useLive } from "./live.js";
import { Glyph } from "./shapes.js";
import { capital, clock, number, utc } from "./words.js";

const LEFT_SHOWN = 5;

export const Time = ({ at, digits = 0, none = "–" }) =>
  at == null ? html`<span class="faint">${none}</span>` : html`<time datetime=${at} title=${utc(at)}>${clock(at, digits)}</time>`;

export const State = ({ name, children }) => {
  const state = String(name).toLowerCase();
  return html`<span class="state ${state}"><${Glyph} name=${state} />${children || capital(state)}</span>`;
};

export function Copy({ text, children = "Copy" }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("Select it, and copy it by hand"); // Without HTTPS a browser lets nobody write there.
    }
    setTimeout(() => say(""), 3000);
  };
  return html`<button class="quiet" type="button" onClick=${copy}><${Glyph} name="copy" /><span aria-live="polite">${said || children}</span></button>`;
}

export const Command = ({ text, bare = false }) =>
  text ? html`<p class="command"><code>${text.split(" ").map((word, index) => html`${index ? " " : ""}<span class="word">${word}</span>`)}</code>${!bare && html`<${Copy} text=${text} />`}</p>` : null;

// A problem in place of what cannot be shown, or beside the button that met it.
export function Trouble({ problem, onAgain }) {
  const { mode } = useLive();
  if (mode === "lost" && problem.status === 0 && onAgain) return null; // The bar says so already, for the whole page.
  const again = problem.retryAfter ? `Trying again in ${problem.retryAfter} s.` : "";
  const scope = problem.status === 403 && problem.scope ? `It needs the scope ${problem.scope}. ` : "";
  return html`<div class="problem" role="alert">
    <p><b><span class="bad"><${Glyph} name="cross" /></span> ${problem.title}</b></p>
    <p>${problem.detail} ${scope}${onAgain && again}</p>
    ${problem.requestId && html`<p class="small faint">Request <span class="mono">${problem.requestId}</span></p>`}
    ${onAgain && html`<p><button class="button" type="button" onClick=${onAgain}>Try again</button></p>`}
  </div>`;
}

// The data of a panel, or what is to be said instead: nothing for 200 ms, then grey shapes.
export function Panel({ of, rows = 6, children }) {
  if (of.data != null) return children(of.data);
  if (of.problem) return html`<${Trouble} problem=${of.problem} onAgain=${of.reload} />`;
  const shapes = Array.from({ length: rows }, () => html`<i></i>`);
  return html`<div class="shapes" aria-busy="true">${of.isSlow && html`<span class="vh">Loading</span>${shapes}`}</div>`;
}

// A part that could not be read, while the others could.
export const PartProblem = ({ text }) => (text ? html`<p class="part-problem"><span class="bad"><${Glyph} name="cross" /></span> ${text}</p>` : null);

// `isBare`: the command stands there already.
export const Outcome = ({ done, isBare = false }) =>
  html`<div class="answer" role="status">
    ${done instanceof Problem ? html`<${Trouble} problem=${done} />` : done && html`<${Done} done=${done} isBare=${isBare} />`}
  </div>`;

const Done = ({ done: { done, more, left, problem, command }, isBare }) => html`
  <p>${done}${more ? " There are more: press again for the rest." : ""}</p>
  ${left?.length ? html`<ul>${left.slice(0, LEFT_SHOWN).map(({ recordId, why }) => html`<li><span class="mono">${recordId}</span>: ${why}</li>`)}</ul>` : null}
  <${PartProblem} text=${problem} />
  ${!isBare && html`<${Command} text=${command} bare />`}`;

// One press of a button, with one key: the same press that is sent twice is done once.
export function useAction(path, { onDone } = {}) {
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState(null);
  const pressed = useRef(null);
  const run = async (body) => {
    if (isBusy) return null;
    setBusy(true);
    const content = JSON.stringify([path, body]);
    if (pressed.current?.content !== content) pressed.current = { content, key: newKey() };
    try {
      const answer = await act(path, body, pressed.current.key);
      pressed.current = null;
      setDone(answer);
      onDone?.(answer);
      return answer;
    } catch (problem) {
      // The next press has the same key, unless it asks for something else.
      if (isAnswered(problem)) pressed.current = null;
      setDone(problem);
      return null;
    } finally {
      setBusy(false);
    }
  };
  return { run, isBusy, done, clear: () => setDone(null) };
}

export function Button({ onClick, isMain = false, isBusy = false, why = "", type = "button", children }) {
  const { mode } = useLive();
  const reason = mode === "lost" ? "Not connected." : why;
  return html`<button class="button ${isMain ? "main" : ""}" type=${type} disabled=${Boolean(reason) || isBusy} title=${reason} onClick=${onClick}>
    ${isBusy ? html`<span role="status">Working …</span>` : children}
  </button>`;
}

// A question in place of a button: yes, or not now. It gets the focus; Esc says "not now".
export function Question({ label, verb, command, isBusy, why, onYes, onNo, children }) {
  const box = useRef();
  useEffect(() => box.current.focus(), []);
  const leave = (event) => event.key === "Escape" && onNo();
  return html`<div class="preview" role="group" aria-label=${label} tabindex="-1" ref=${box} onKeyDown=${leave}>
    <p>${children}</p>
    <${Command} text=${command} bare />
    <p class="buttons"><${Button} isMain isBusy=${isBusy} why=${why} onClick=${onYes}>${verb}</${Button}>
      <button class="button" type="button" onClick=${onNo}>Not now</button></p>
  </div>`;
}

// A button for one thing that cannot be undone: it asks in place, and says what will happen.
export function AskFirst({ path, body = {}, question, about, verb, why, onDone, children }) {
  const [isAsked, setAsked] = useState(false);
  const action = useAction(path, { onDone: (answer) => (setAsked(false), onDone?.(answer)) });
  const asking = html`<${Question} label=${question} verb=${verb} isBusy=${action.isBusy} why=${why}
    onYes=${() => action.run(body)} onNo=${() => setAsked(false)}>
      <b>${question}</b> <span class="soft">${about}</span></${Question}>`;
  const ask = () => (action.clear(), setAsked(true));
  return html`<div class="ask">
    ${isAsked ? asking : html`<${Button} why=${why} onClick=${ask}>${children}</${Button}>`}
    <${Outcome} done=${action.done} />
  </div>`;
}

// A button for more than one thing: it first says how many, then asks in place.
export function AskAct({ path, body, verb, noun, about = "", why, onDone, children }) {
  const preview = useAction(path);
  const finish = (answer) => ((after.current = answer.next || null), setFound(null), onDone?.(answer));
  const action = useAction(path, { onDone: finish });
  const [found, setFound] = useState(null);
  const after = useRef(null); // Where the part begins that comes next.
  const part = () => (after.current ? { ...body, after: after.current } : body);
  const look = async () => {
    action.clear();
    let next = await preview.run({ ...part(), dryRun: true });
    while (next?.next && !wouldChange(next)) {
      after.current = next.next;
      next = await preview.run({ ...part(), dryRun: true });
    }
    setFound(next);
  };
  const count = found && wouldChange(found);
  const named = count && `${verb} ${number(count)}`;
  return html`<div class="ask">
    ${!found && html`<${Button} isBusy=${preview.isBusy} why=${why} onClick=${look}>${children}</${Button}>`}
    ${found && html`<${Question} label=${named || verb} verb=${named || verb} isBusy=${action.isBusy}
      command=${found.command?.replace(" --dry-run", "")} why=${count ? "" : "There is nothing to do."}
      onYes=${() => action.run(part())} onNo=${() => setFound(null)}>
        <b>${verb} ${number(count)} ${count === 1 ? noun : noun + "s"}?</b> <span class="soft">${about}</span>
        <${Staying} found=${found} count=${count} />
        <${PartProblem} text=${found.problem} />
        ${found.more && html`<span class="soft"> There are more than one call takes; press again for the rest.</span>`}
      </${Question}>`}
    <${Outcome} done=${preview.done instanceof Problem ? preview.done : action.done} />
  </div>`;
}

// `left` names the first ones only, so it is not counted if the service says the number.
const wouldChange = ({ wouldChange: count, matched = 0, left = [] }) => count ?? matched - left.length;

function Staying({ found: { matched = 0, left = [] }, count }) {
  const stays = matched - count;
  return left.length && stays > 0 ? html`<span class="soft"> ${number(stays)} would stay: ${left[0].why}</span>` : null;
}

// Key, headers and value of a record. All of it is text from outside, and shown as text.
export function Record({ record }) {
  const names = record.headers || [];
  return html`<dl class="row">
    <dt>key</dt><dd class="mono">${record.key ?? html`<span class="faint">none</span>`}</dd>
    <dt>headers</dt><dd>${names.length ? html`<dl class="headers">${names.map(([name, value]) => html`<dt>${name}</dt>
      <dd>${value}</dd>`)}</dl>` : html`<span class="faint">none, so it is not from this service</span>`}</dd>
    <dt>value</dt><dd>${record.value == null ? html`<span class="faint">none</span>` : html`<pre class="value">${record.value}</pre>`}</dd>
  </dl>`;
}

export const Field = ({ id, label, hint, children }) =>
  html`<div class="field"><label for=${id}>${label}</label>${children}${hint && html`<p class="small faint" id="${id}-hint">${hint}</p>`}</div>`;

// The sum of the stock, set as on paper.
export const Sum = ({ stock }) => html`<dl class="sum">
  <div><dt>in stock</dt><dd><span class="sign"></span>${number(stock.stock)}</dd></div>
  <div><dt>reserved</dt><dd><span class="sign">+</span>${number(stock.reserved)}</dd></div>
  <div class="total"><dt>supplied</dt><dd><span class="sign">${stock.addsUp ? "=" : "≠"}</span>${number(stock.supplied)}</dd></div>
</dl>`;

export const Verdict = ({ isGood, good, bad }) =>
  html`<span class=${isGood ? "good" : "bad"}><${Glyph} name=${isGood ? "check" : "cross"} /> ${isGood ? good : bad}</span>`;
