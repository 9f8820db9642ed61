// The page: which screen the address means, and what holds for every screen.

import { html, render, useEffect, useReducer, useRef, useState } from "./preact-htm.js";
import { onRefused, token } from "./api.js";
import { DeadLetters } from "./dead_letters.js";
import { Doctor } from "./doctor.js";
import { Bar, Foot, Keys, Lost, TokenScreen, applyTheme } from "./frame.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import { Order } from "./order.js";
import { Orders } from "./orders.js";
import { Outbox } from "./outbox.js";
import { Trouble } from "./parts.js";
import { Practice } from "./practice.js";
import { Road } from "./road.js";
import * as routes from "./routes.js";
import { Sheet } from "./shapes.js";
import { Stock } from "./stock.js";

const SCREENS = { road: Road, orders: Orders, stock: Stock, "dead-letters": DeadLetters, outbox: Outbox, doctor: Doctor, practice: Practice };
const TITLES = { road: "Road", orders: "Orders", stock: "Stock", "dead-letters": "Dead letters", outbox: "Outbox", doctor: "Doctor", practice: "Practice" };

function Page() {
  const [place, setPlace] = useState(routes.here());
  const [isPaused, togglePause] = useReducer((before) => !before, false);
  const [areKeysOpen, openKeys] = useState(false);
  const [refusal, refuse] = useState(null);
  const { mode, problem } = live.useLive();
  const main = useRef();

  useEffect(() => {
    keys.start({ search: () => (at("orders"), keys.focusSoon("[data-search]")), create: () => (document.querySelector("[data-new]") || at("orders"), keys.focusSoon("[data-new]")), pause: togglePause, help: () => openKeys(true) });
    onRefused(refuse);
    return routes.onMove((next, isSame) => {
      setPlace(next);
      if (!isSame) setTimeout(() => keys.focusHeadline(main.current));
    });
  }, []);

  const item = place.screen === "orders" ? place.item : "";
  const Screen = item ? Order : SCREENS[place.screen];
  const title = item ? `Order ${item.slice(0, 8)}` : TITLES[place.screen] || "Not found";
  useEffect(() => void (document.title = `${title} · orders`), [title]);
  const isForbidden = mode === "refused" && problem?.status === 403;
  const again = () => (refuse(null), live.reconnect());
  return html`<${Sheet} />
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to the content</a>
    <${Bar} screen=${place.screen} />
    <${Lost} />
    <${Announcer} />
    <main id="main" tabindex="-1" ref=${main} class=${mode === "lost" ? "stale" : ""}>
      ${refusal ? html`<${TokenScreen} problem=${token.get() ? refusal : null} onToken=${again} />`
        : isForbidden ? html`<h1 tabindex="-1">This token may not see it</h1><${Trouble} problem=${problem} onAgain=${again} /><p><button class="button" type="button" onClick=${() => refuse(problem)}>Use another token</button></p>`
        : html`<${Screen} key=${place.screen + (item && "/")} item=${place.item} params=${place.params} isPaused=${isPaused} onPause=${togglePause} />`}
    </main>
    <${Foot} onKeys=${() => openKeys(true)} />
    <${Keys} isOpen=${areKeysOpen} onClose=${() => openKeys(false)} />`;
}

function at(screen) {
  if (routes.here().screen !== screen || routes.here().item) routes.go(`/ui/${screen}`);
}

// The headline for those who listen: said when the state changes, not when a number in it does.
function Announcer() {
  const { reading } = live.useLive();
  const said = useRef({ text: "", kind: "" });
  const headline = reading?.headline;
  const kind = headline && `${headline.level} ${headline.title.replace(/[\d.,]+/g, "…")}`;
  if (headline && kind !== said.current.kind) said.current = { kind, text: headline.title };
  return html`<p class="vh" role="status">${said.current.text}</p>`;
}

applyTheme();
routes.start();
live.start();
render(html`<${Page} />`, document.getElementById("page"));
