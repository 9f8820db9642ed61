// What stands around every screen: the bar, the foot, the keys, the token, and the news of a lost connection.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { token } from "./api.js";
import { KEYS, areOn, turn } from "./keys.js";
import { reconnect, useLive } from "./live.js";
import { Command, Time } from "./parts.js";
import { Glyph } from "./shapes.js";
import { number, zone } from "./words.js";

const THEME = "orders-theme";
const QUIET_SECONDS = 5; // A reading comes each second, or every 2 s.
const SCOPES = "orders:operate orders:read orders:write orders:admin"; // The last one: to order for another user.

export function Bar({ screen }) {
  const { reading, mode } = useLive();
  const dead = reading?.deadLetters?.waiting;
  const tally = dead ? html` <b class="tally">${number(dead)}<span class="vh"> waiting</span></b>` : "";
  const log = reading?.service.broker === "embedded" ? "log" : "Kafka";
  const links = [["road", "Road"], ["orders", "Orders"], ["stock", "Stock", true], ["dead-letters", html`Dead letters${tally}`], ["outbox", `Outbox, ${log}`, true], ["doctor", "Doctor", true]];
  if (reading?.service.practice) links.push(["practice", "Practice", true]);
  const link = ([name, title]) => html`<a href=${name === "road" ? "/ui" : `/ui/${name}`} aria-current=${name === screen ? "page" : undefined}>${title}</a>`;
  const rare = links.filter(([, , isRare]) => isRare);
  const more = useRef();
  useEffect(() => void more.current?.removeAttribute("open"), [screen]);
  return html`<header class="bar">
    <a class="brand" href="/ui"><svg viewBox="0 0 30 10" aria-hidden="true"><path d="M5 5h20" stroke="currentColor" stroke-width="2.5" />
      <circle cx="5" cy="5" r="3.6" fill="currentColor" /><circle cx="25" cy="5" r="3.4" class="hole" /></svg>orders</a>
    <nav class="screens" aria-label="Screens"><ul>
      ${links.map((each) => html`<li key=${each[0]} class=${each[2] ? "rare" : ""}>${link(each)}</li>`)}
      <li class="more"><details ref=${more}>
        <summary>${rare.some(([name]) => name === screen) ? html`<b>${rare.find(([name]) => name === screen)[1]}</b>` : "More"}</summary>
        <ul>${rare.map((each) => html`<li key=${each[0]}>${link(each)}</li>`)}</ul></details></li>
    </ul></nav>
    <p class="vitals">
      <${Verdict} reading=${reading} isOld=${mode === "lost"} screen=${screen} />
      ${reading && mode !== "refused" && html`<${Tick} />`}
    </p>
  </header>`;
}

// The worst that is known: what stands in the Road's headline, else whether the stock adds up.
function Verdict({ reading, isOld, screen }) {
  if (!reading) return null;
  const { headline, stock } = reading;
  if (headline?.level === "trouble" && screen !== "road") return html`<a class="verdict ${isOld ? "faint" : "bad"}" href="/ui"><${Glyph} name="stopped" />${headline.title}</a>`;
  if (!stock) return null;
  return html`<span class=${isOld ? "faint" : stock.addsUp ? "good" : "bad"}><${Glyph} name=${stock.addsUp ? "check" : "cross"} />Stock ${stock.addsUp ? "adds" : "does not add"} up</span>`;
}

function Tick() {
  const { reading, mode, heardAt } = useLive();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((before) => before + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const quiet = Math.floor((Date.now() - heardAt) / 1000);
  const isQuiet = mode !== "lost" && quiet >= QUIET_SECONDS;
  const said = isQuiet ? `No news for ${quiet} s, since` : { asking: "Every 2 s", lost: "Old" }[mode] || "Live";
  return html`<span class="tick"><${Glyph} name=${mode === "lost" || isQuiet ? "missing" : "confirmed"} />${said} <${Time} at=${reading.at} /></span>`;
}

// The number of seconds is not said aloud each second: only that the connection is lost.
export function Lost() {
  const { mode, since, retryAt, problem, reading } = useLive();
  const [, tick] = useState(0);
  useEffect(() => {
    if (mode !== "lost") return undefined;
    const timer = setInterval(() => tick((before) => before + 1), 500);
    return () => clearInterval(timer);
  }, [mode]);
  if (mode !== "lost") return null;
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  return html`<aside class="lost" aria-label="Connection"><div>
    <${Glyph} name="cut" />
    <p role="status">${problem?.title ? `${problem.title} ${problem.detail} ` : ""}Not connected since <${Time} at=${since} />.${reading ? " These numbers are from then." : ""}</p>
    <p>${seconds ? `Trying again in ${seconds} s` : "Trying …"}</p>
    <button class="quiet" type="button" onClick=${reconnect}>Try now</button>
  </div></aside>`;
}

export function Foot({ onKeys }) {
  const { reading } = useLive();
  const [theme, setTheme] = useState(localStorage.getItem(THEME) || "system");
  const service = reading?.service;
  const choose = (name) => {
    localStorage.setItem(THEME, name);
    applyTheme();
    setTheme(name);
  };
  return html`<footer class="base">
    <p>${service ? `orders-service ${service.version} on ${service.address}. ${service.database}, ${service.broker === "kafka" ? "Kafka" : "an embedded log"}, events via ${service.eventsVia === "cdc" ? "Debezium" : "the relay"}. ` : ""}Times are those of your browser (${zone()}).</p>
    <fieldset class="choices">
      <legend class="vh">Theme</legend>${[["system", "as the system"], ["light", "light"], ["dark", "dark"]].map(([name, text]) => html`<label key=${name}>
      <input type="radio" name="theme" checked=${theme === name} onChange=${() => choose(name)} /> ${text}</label>`)}</fieldset>
    <p><button class="quiet" type="button" onClick=${onKeys}>Keys <kbd>?</kbd></button></p>
  </footer>`;
}

export function applyTheme() {
  const theme = localStorage.getItem(THEME);
  document.documentElement.dataset.theme = theme === "light" || theme === "dark" ? theme : "system";
}

export function Keys({ isOpen, onClose }) {
  const box = useRef();
  const [isOn, setOn] = useState(areOn());
  useEffect(() => {
    if (isOpen && !box.current.open) box.current.showModal();
    if (!isOpen && box.current.open) box.current.close();
  }, [isOpen]);
  return html`<dialog class="keys" ref=${box} onClose=${onClose} aria-labelledby="keys-title">
    <h2 id="keys-title">Keys</h2>
    <dl>${KEYS.map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}<dt><kbd>Esc</kbd></dt><dd>close this, or answer “not now”</dd></dl>
    <p class="choices"><label><input type="checkbox" checked=${isOn} onChange=${(event) => (turn(event.target.checked), setOn(event.target.checked))} /> letter keys are on</label></p>
    <p><button class="button" type="button" onClick=${onClose}>Close</button></p>
  </dialog>`;
}

// 401: the address stays, and the screen comes back with the token.
export function TokenScreen({ problem, onToken }) {
  const [text, setText] = useState("");
  const field = useRef();
  useEffect(() => field.current?.focus(), []);
  const use = (event) => {
    event.preventDefault();
    token.set(text.trim().replace(/^Bearer\s+/i, ""));
    onToken();
  };
  return html`<section class="head"><h1 tabindex="-1">This page needs a token</h1>
    <p>It needs the scope <code>orders:operate</code>; to place an order also <code>orders:write</code> and <code>orders:read</code>, and for another user <code>orders:admin</code>. It stays in this tab and is sent to this service only. ${problem?.detail}</p></section>
    <form class="token" onSubmit=${use}>
      <p class="field"><label for="token">Token</label><input id="token" type="password" autocomplete="off" required ref=${field} value=${text} onInput=${(event) => setText(event.target.value)} /></p>
      <p><button class="button main" type="submit">Use this token</button></p>
      <p class="soft">This command makes one, with the secret of the service:</p>
      <${Command} text=${`orders-service token --user me --scope '${SCOPES}' --for 8h`} />
    </form>`;
}
