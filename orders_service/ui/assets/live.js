// The numbers of the road, once a second: by a stream, or by asking every 2 s if there is no stream.

import { useEffect, useState } from "./preact-htm.js";
import { headers, problemOf, read } from "./api.js";

const RETRY_SECONDS = [1, 2, 4, 8, 16, 30];
const SILENCE_SECONDS = 20; // A stream that says nothing for so long is dead: a comment comes each 15 s.
const POLL_SECONDS = 2;
const STREAM_AGAIN_SECONDS = 30; // Then a page that asks tries the stream again.
const OLDER_MS = 10_000; // A reading may be so much older than the one before; after more, the clock was set back.
const KEPT = { rates: 60, answers: 900 };

// mode: connecting | stream | asking | lost | refused. `since` is when the connection was lost, `heardAt` when
// this tab got its last reading, by its own clock.
let state = { mode: "connecting", reading: null, heardAt: null, since: null, retryAt: null, problem: null };
export const history = { rates: {}, answers: [] };
const listeners = new Set();
let stop = () => {};
let attempt = 0;
let askingSince = 0;

function set(changes) {
  state = { ...state, ...changes };
  listeners.forEach((listener) => listener(state));
}

// Each process of the API makes readings of its own, so the answer of another one may be the older one.
function isPast(reading) {
  const earlier = new Date(state.reading?.at) - new Date(reading.at);
  return earlier > 0 && earlier < OLDER_MS;
}

// The reading to show: the newest.
function take(reading) {
  attempt = 0;
  if (isPast(reading)) return state.reading;
  if (reading.at !== state.reading?.at) {
    for (const station of reading.stations) {
      const rates = (history.rates[station.name] ||= []);
      rates.push(station.perSecond);
      if (rates.length > KEPT.rates) rates.shift();
    }
    if (reading.answers?.medianMs != null) {
      const { medianMs, p99Ms, measured } = reading.answers;
      history.answers.push({ at: reading.at, medianMs, p99Ms, measured });
      if (history.answers.length > KEPT.answers) history.answers.shift();
    }
  }
  return reading;
}

async function* events(body, beat) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    beat();
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

async function stream(signal, abort) {
  let silence;
  const beat = () => {
    clearTimeout(silence);
    silence = setTimeout(abort, SILENCE_SECONDS * 1000);
  };
  beat();
  try {
    const response = await fetch("/admin/live", { headers: headers(), signal, credentials: "omit" });
    if (!response.ok) throw await problemOf(response);
    for await (const reading of events(response.body, beat)) {
      set({ mode: "stream", reading: take(reading), heardAt: Date.now(), since: null, retryAt: null, problem: null });
    }
  } finally {
    clearTimeout(silence);
  }
}

function connect() {
  stop();
  const current = new AbortController();
  let timer;
  let isOver = false;
  stop = () => {
    isOver = true;
    clearTimeout(timer);
    current.abort();
  };
  const later = (seconds, then) => {
    timer = setTimeout(() => isOver || then(), seconds * 1000);
  };
  const lose = (problem) => {
    const seconds = problem?.retryAfter || RETRY_SECONDS[Math.min(attempt++, RETRY_SECONDS.length - 1)];
    const since = state.since || state.reading?.at || new Date().toISOString();
    set({ mode: "lost", since, retryAt: Date.now() + seconds * 1000, problem });
    later(seconds, connect);
  };
  const poll = async () => {
    try {
      const reading = take(await read("/admin/road"));
      if (isOver) return;
      set({ mode: "asking", reading, heardAt: Date.now(), since: null, retryAt: null, problem: null });
      if (Date.now() - askingSince > STREAM_AGAIN_SECONDS * 1000) connect();
      else later(POLL_SECONDS, poll);
    } catch (problem) {
      if (!isOver) fail(problem);
    }
  };
  const fail = (problem) => {
    if (problem?.status === 401) set({ mode: "refused", problem: null });
    else if (problem?.status === 403) set({ mode: "refused", problem });
    else lose(problem?.status ? problem : null);
  };
  const go = async () => {
    const began = Date.now();
    try {
      await stream(current.signal, () => current.abort());
      if (isOver) return;
      // The server ends a stream after 300 s. One that ends at once is not worth a loop.
      if (Date.now() - began > 2000) connect();
      else ask();
    } catch (problem) {
      if (isOver) return;
      if (problem?.is?.("too-many-waiters") || problem?.status === 404) ask();
      else fail(problem);
    }
  };
  const ask = () => {
    askingSince = Date.now();
    poll();
  };
  go();
}

export function start() {
  document.addEventListener("visibilitychange", () => {
    // Browsers allow six connections to a host: a hidden tab gives its one back.
    if (document.hidden) stop();
    else connect();
  });
  connect();
}

export function reconnect() {
  attempt = 0;
  connect();
}

export function useLive() {
  const [shown, setShown] = useState(state);
  useEffect(() => {
    listeners.add(setShown);
    setShown(state);
    return () => listeners.delete(setShown);
  }, []);
  return shown;
}
