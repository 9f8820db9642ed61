// The keyboard: letters that move and search. They can be switched off.

const SWITCH = "orders-keys"; // In localStorage, with the theme: what a person likes, not what a service holds.

export const KEYS = [
  ["/", "search for an order"],
  ["n", "place an order, or change the stock"],
  ["j", "next row"],
  ["k", "row before"],
  ["p", "pause or go on drawing the road"],
  ["?", "show these keys"],
];

export const areOn = () => localStorage.getItem(SWITCH) !== "off";
export const turn = (on) => (on ? localStorage.removeItem(SWITCH) : localStorage.setItem(SWITCH, "off"));

export function start(actions) {
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !areOn()) return;
    if (document.querySelector("dialog[open]")) return;
    const action = { "/": actions.search, n: actions.create, j: () => move(1), k: () => move(-1), p: actions.pause, "?": actions.help }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

// The focus goes from row to row; Enter then opens what it is on.
function move(step) {
  const rows = [...document.querySelectorAll("main [data-row]")];
  const now = rows.indexOf(document.activeElement);
  rows[now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + step))]?.focus();
}

// Focus what *selector* finds, as soon as the screen has it.
export function focusSoon(selector, tries = 20) {
  const found = document.querySelector(selector);
  if (found) found.focus();
  else if (tries) setTimeout(focusSoon, 50, selector, tries - 1);
}

// Reading goes on from the headline of a new screen. While its data come, another headline stands there.
export function focusHeadline(main, first = true, tries = 100) {
  const isLost = document.activeElement === document.body; // What had the focus is gone.
  if (first || isLost) main.querySelector("h1")?.focus({ preventScroll: true });
  const isDone = !first && !isLost && !main.querySelector("[aria-busy]");
  if (!isDone && tries) setTimeout(focusHeadline, 50, main, false, tries - 1);
}
