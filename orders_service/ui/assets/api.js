// Requests to this service: the token, problems, and keys of actions.

import { useCallback, useEffect, useRef, useState } from "./preact-htm.js";

const TOKEN = "orders-token"; // In sessionStorage: it belongs to this tab and ends with it.
const MOST_SECONDS = 30; // An action on many letters may take 20 s.

export const token = {
  get: () => sessionStorage.getItem(TOKEN) || "",
  set: (text) => sessionStorage.setItem(TOKEN, text),
  forget: () => sessionStorage.removeItem(TOKEN),
};

// What the service answered instead: problem details, or that it could not be reached.
export class Problem extends Error {
  constructor({ status = 0, type = "", title, detail = "", instance = "", scope = "" }, retryAfter = 0) {
    super(title);
    Object.assign(this, { status, type, title, detail, scope, retryAfter });
    this.requestId = String(instance).replace("/requests/", "");
  }

  is(slug) {
    return this.type.endsWith(`/problems/${slug}`);
  }
}

// Those who want to know that a token is missing or not valid: the token screen.
const refused = new Set();
export const onRefused = (listener) => (refused.add(listener), () => refused.delete(listener));
export const tellRefused = (problem) => refused.forEach((listener) => listener(problem));

export function headers(more = {}) {
  const text = token.get();
  return text ? { Authorization: `Bearer ${text}`, ...more } : more;
}

export async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A gateway's page is not ours to show.
  }
  const title = typeof body.title === "string" ? body.title : `The answer was ${response.status}`;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  const scope = /scope="([^"]*)"/.exec(response.headers.get("WWW-Authenticate") || "")?.[1];
  const problem = new Problem({ ...body, title, status: response.status, scope }, retryAfter);
  if (response.status === 401) tellRefused(problem);
  return problem;
}

export async function ask(path, { method = "GET", body, more, signal } = {}) {
  const sent = body === undefined ? {} : { "Content-Type": "application/json", ...more };
  const late = AbortSignal.timeout(MOST_SECONDS * 1000);
  try {
    const response = await fetch(path, {
      method,
      headers: headers({ Accept: "application/json", ...(body === undefined ? more : {}), ...sent }),
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late]) : late,
      credentials: "omit",
    });
    if (!response.ok) throw await problemOf(response);
    return { value: response.status === 204 ? null : await response.json(), response };
  } catch (error) {
    if (signal?.aborted || error instanceof Problem) throw error;
    const detail = error.name === "TimeoutError" ? `It did not answer in ${MOST_SECONDS} s.` : "It cannot be reached.";
    throw new Problem({ title: "The service does not answer", detail });
  }
}

export const read = async (path, signal) => (await ask(path, { signal })).value;

// Without an answer, or with a fault of the server, nobody knows whether it was done.
export const isAnswered = (problem) => problem.status > 0 && problem.status < 500;

// A key for one press of a button: the same press sent twice is done once.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "page-" + Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

export async function act(path, body = {}, key = newKey()) {
  return (await ask(path, { method: "POST", body, more: { "Idempotency-Key": key } })).value;
}

export function query(values) {
  const known = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return known.length ? "?" + new URLSearchParams(known) : "";
}

// What *path* answers: {data, problem, isSlow, reload}. Read again every *every* seconds while the tab is seen.
export function useData(path, { every = 0 } = {}) {
  const [found, setFound] = useState({ path, data: null, problem: null });
  const [isSlow, setSlow] = useState(false);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const last = useRef();

  useEffect(() => {
    if (!path) return undefined;
    const leaving = new AbortController();
    const isNew = last.current !== path;
    last.current = path;
    if (isNew) setFound({ path, data: null, problem: null });
    const slow = setTimeout(() => setSlow(true), 200);
    let timer;
    const again = (seconds) => {
      if (seconds > 0) timer = setTimeout(() => (document.hidden ? again(seconds) : go()), seconds * 1000);
    };
    const go = async () => {
      try {
        const { value, response } = await ask(path, { signal: leaving.signal });
        setFound({ path, data: value, problem: null, next: next(response) });
        again(typeof every === "function" ? every(value) : every);
      } catch (problem) {
        if (leaving.signal.aborted) return;
        setFound((before) => (before.path === path ? { ...before, problem } : { path, data: null, problem }));
        const mayPass = problem.status === 0 || problem.status === 429 || problem.status >= 500;
        again(mayPass ? problem.retryAfter || 5 : 0);
      } finally {
        clearTimeout(slow);
        setSlow(false);
      }
    };
    go();
    return () => (leaving.abort(), clearTimeout(timer), clearTimeout(slow));
  }, [path, turn]);

  const current = found.path === path ? found : { data: null, problem: null };
  return { ...current, isSlow: isSlow && !current.data && !current.problem, reload };
}

// The address of the next page, from the header Link.
const next = (response) => /<([^>]*)>;\s*rel="?next/.exec(response.headers.get("Link") || "")?.[1] || null;
