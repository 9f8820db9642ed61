// Numbers, times and sentences.

const whole = new Intl.NumberFormat("en");
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const number = (value) => (value == null ? "–" : whole.format(value));

export const rate = (value) => (value == null ? "–" : value === 0 || value >= 100 ? whole.format(Math.round(value)) : tenth.format(value));

export const plural = (count, one, many = one + "s") => `${number(count)} ${count === 1 ? one : many}`;

// As precise as a person needs: 0.4 ms, 9 ms, 12.1 s, 3 min 5 s, 2 h 10 min, 3 days.
export function span(milliseconds) {
  if (milliseconds == null) return "–";
  if (milliseconds < 1) return `${tenth.format(milliseconds)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${tenth.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

// The reasons of the catalog, as the event stock.rejected has them.
const REASONS = {
  "unknown-product": "the catalog has no such product",
  "insufficient-stock": "not enough in stock",
  "price-differs": "the catalog has another price",
  discarded: "an operator gave it up",
  "invalid-order": "the order could not be read",
};
export const reasonOf = (code) => (Object.hasOwn(REASONS, code) ? REASONS[code] : code);

// The zone of the times that the page shows.
export function zone(now = new Date()) {
  const minutes = -now.getTimezoneOffset();
  const hours = two(Math.floor(Math.abs(minutes) / 60));
  const offset = minutes ? `UTC${minutes < 0 ? "−" : "+"}${hours}:${two(Math.abs(minutes) % 60)}` : "UTC";
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return !name || name === offset ? offset : `${name}, ${offset}`;
}

const two = (value) => String(value).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// The local time; with the day if it is not today. `digits` of the second are those that the source has.
export function clock(at, digits = 0, now = new Date()) {
  const date = new Date(at);
  if (at == null || Number.isNaN(date.getTime())) return "–";
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const fraction = digits ? "." + fractionOf(at).slice(0, digits === 3 ? 3 : 4) : "";
  const isToday = date.toDateString() === now.toDateString();
  const day = `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  const year = date.getFullYear() === now.getFullYear() ? "" : ` ${date.getFullYear()}`;
  return (isToday ? "" : `${day}${year}, `) + time + fraction;
}

export const utc = (at) => (at == null ? "" : `${String(at).replace("T", " ").replace(/(Z|\+00:00)$/, "")} UTC`);

const fractionOf = (at) => (/\.(\d+)/.exec(String(at))?.[1] || "").padEnd(6, "0");

// The milliseconds from one instant to another; parsing a Date would cut its microseconds off.
export function between(from, to) {
  const micros = (at) => Number(fractionOf(at).slice(3, 6)) / 1000;
  return new Date(to) - new Date(from) + micros(to) - micros(from);
}

export function ago(at) {
  const milliseconds = Math.max(0, Date.now() - new Date(at));
  return milliseconds < 60000 ? `${Math.round(milliseconds / 1000)} s ago` : `${span(milliseconds)} ago`;
}

// A word of the shell, quoted if it must be.
export const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", "'\\''")}'`);

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
