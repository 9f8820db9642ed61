// The newest orders, filters that live in the address, and a form that places one.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { Problem, ask, isAnswered, newKey, query, useData } from "./api.js";
import { Button, Command, Field, Panel, State, Time, Trouble } from "./parts.js";
import { go } from "./routes.js";
import { capital, number, plural, quoted, reasonOf, span } from "./words.js";

const LIMIT = 50;
const PRACTICE = "practice"; // The user whose orders the practice places.
const STATUSES = ["PENDING", "CONFIRMED", "REJECTED", "CANCELLED"];
const AGES = { "": "at any time", 60: "over 60 s ago", 3600: "over an hour ago", "-3600": "in the last hour", "-86400": "in the last day" };
const SCANNED = 10_000; // The service looks at so many orders, then it answers what it found so far.
const ANSWER_SECONDS = 30; // A placed order's answer is waited for no longer.
const WHOLE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function Orders({ params }) {
  const filters = Object.fromEntries(["status", "productId", "userId", "age", "after"].map((name) => [name, params.get(name) || ""]));
  const path = useRef({});
  const wanted = JSON.stringify(filters);
  // "Over 60 s ago" is counted from when it was chosen: a new instant each time would be another list.
  if (path.current.wanted !== wanted) path.current = { wanted, path: listPath(filters) };
  const list = useData(path.current.path, { every: filters.after ? 0 : 2 });
  const choose = (changes) => go("/ui/orders" + query({ ...filters, after: "", ...changes }), { isSame: true });
  const rows = rowsOf(list.data);
  const older = list.next && "/ui/orders" + query({ ...filters, after: afterOf(list.next) });
  const isFiltered = Object.values(filters).some(Boolean);
  return html`
    <section class="head"><h1 tabindex="-1">Orders</h1><p>${headline(rows, filters)} <a class="only-narrow" href="#f-product">Place an order</a></p></section>
    <div class="desk">
      <section aria-label="Orders">
        <${Filters} filters=${filters} choose=${choose} rows=${rows} />
        ${rows.some((row) => row.userId === PRACTICE) && html`<p class="foot">The orders of the user ${PRACTICE} come from the screen Practice.</p>`}
        <${Panel} of=${list} rows=${8}>${() => (rows.length ? html`<${Table} rows=${rows} />
          <p class="foot"><span>${filters.after ? "Older orders" : `The newest ${number(rows.length)}`}</span>
            <span>${filters.after && html`<a href=${"/ui/orders" + query({ ...filters, after: "" })}>Newest</a> `}${older && html`<a href=${older}>Older</a>`}</span></p>`
          : isFiltered ? html`<${NoneLikeThis} isFirst=${!filters.after} older=${older} />` : html`<${Empty} />`)}</${Panel}>
        ${list.data && list.problem && html`<${Trouble} problem=${list.problem} onAgain=${list.reload} />`}
      </section>
      <${Form} onPlaced=${list.reload} />
    </div>`;
}

// The list goes on after this order.
const afterOf = (address) => new URL(address, location.origin).searchParams.get("after");

const NoneLikeThis = ({ isFirst, older }) => html`<p class="none">
  ${older ? `None of the ${isFirst ? "newest" : "next"} ${number(SCANNED)} orders is like this.` : `No${isFirst ? "" : " older"} order is like this.`}
  ${older && html` <a href=${older}>Look at older ones</a>`} <a href="/ui/orders">Show all</a></p>`;

const rowsOf = (data) => (Array.isArray(data) ? data : data?.orders || []);

function listPath({ status, productId, userId, age, after }) {
  const seconds = Number(age);
  const instant = seconds ? new Date(Date.now() - Math.abs(seconds) * 1000).toISOString() : "";
  return "/admin/orders" + query({
    order: "newest", limit: LIMIT, status, productId, userId, after,
    placedBefore: seconds > 0 ? instant : "", placedAfter: seconds < 0 ? instant : "",
  });
}

function headline(rows, { status }) {
  if (!rows.length) return "The newest first.";
  const pending = rows.filter((row) => row.status === "PENDING");
  const oldest = pending.at(-1);
  const waits = oldest ? `${plural(pending.length, "of these has no answer yet", "of these have no answer yet")}; the oldest has waited for ${span(Date.now() - new Date(oldest.createdAt))}.`
    : "Each of these has its answer.";
  return `The newest first${status ? `, ${status.toLowerCase().replaceAll(",", " or ")}` : ""}. ${waits}`;
}

function Filters({ filters, choose, rows }) {
  const chosen = filters.status ? filters.status.split(",") : STATUSES;
  const [said, say] = useState("");
  const find = (event) => {
    event.preventDefault();
    const text = event.target.elements.id.value.trim().toLowerCase();
    const found = rows.filter((row) => text && row.orderId.startsWith(text));
    if (WHOLE_ID.test(text)) go(`/ui/orders/${text}`);
    else if (found.length === 1) go(`/ui/orders/${found[0].orderId}`);
    else say(text ? `${found.length ? "More than one" : "None"} of these orders begins with ${text}. The whole id finds every order.` : "");
  };
  const toggle = (name) => {
    const now = STATUSES.filter((each) => chosen.includes(each) !== (each === name));
    choose({ status: now.length && now.length < STATUSES.length ? now.join(",") : "" });
  };
  return html`<form class="filters" role="search" onSubmit=${find}>
    <div class="field wide"><label for="id">Order id <kbd>/</kbd></label>
      <input id="id" name="id" type="search" data-search autocomplete="off" placeholder="whole, or the beginning of one of these" /></div>
    <div class="field"><label for="product">Product</label>
      <input id="product" type="text" placeholder="any" value=${filters.productId} onChange=${(event) => choose({ productId: event.target.value.trim() })} />
      </div>
    <div class="field"><label for="user">User</label>
      <input id="user" type="text" placeholder="any" value=${filters.userId} onChange=${(event) => choose({ userId: event.target.value.trim() })} /></div>
    <div class="field"><label for="age">Placed</label>
      <select id="age" value=${filters.age} onChange=${(event) => choose({ age: event.target.value })}>
        ${Object.entries(AGES).sort(([a], [b]) => (a === "" ? -1 : b === "" ? 1 : 0))
          .map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></div>
    <fieldset class="choices"><legend class="vh">Status</legend>${STATUSES.map((name) => html`<label>
      <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} /> <${State} name=${name} /></label>`)}</fieldset>
    <p class="said" role="status">${said}</p>
    <button class="vh" type="submit" tabindex="-1">Find the order</button>
  </form>`;
}

const Table = ({ rows }) => html`<table class="orders">
  <thead><tr><th>Placed</th><th>Order</th><th>User</th><th>Product</th><th class="num">Qty</th><th class="num">Total</th><th>Status</th><th class="num">Answered in</th></tr></thead>
  <tbody>${rows.map((row) => html`<tr key=${row.orderId}>
    <td class="soft nb"><${Time} at=${row.createdAt} /></td>
    <td><a class="plain mono" data-row href="/ui/orders/${row.orderId}">${row.orderId.slice(0, 8)}</a></td>
    <td class="cut">${row.userId}</td><td class="cut">${row.productId}</td>
    <td class="num">${number(row.qty)}</td><td class="num">${number(row.totalPrice)}</td>
    <td><${State} name=${row.status} /> ${row.reason && html`<span class="faint">${reasonOf(row.reason)}</span>`}</td>
    <td class="num">${row.status === "PENDING" ? html`<span class="faint">not yet</span>` : span(row.answerMs)}</td></tr>`)}</tbody>
</table>`;

const sample = (user, product) => `curl -d '{"productId":"${product}","qty":1,"unitPrice":1500}' -H 'Content-Type: application/json' ${location.host}/order-service/${user}/orders`;

const Empty = () => html`<div class="empty"><div><h2>No order yet</h2>
  <p>Place one with the form, or from a terminal. You can watch it on the <a href="/ui">Road</a>.</p></div><${Command} text=${sample("me", "CATALOG-001")} />
  </div>`;

function Form({ onPlaced }) {
  const stock = useData("/admin/stock");
  const products = stock.data?.products || [];
  const [order, setOrder] = useState({ user: "ann", product: "", qty: "1", price: "", key: "" });
  const [placed, setPlaced] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const product = products.find((each) => each.productId === order.product);
  useEffect(() => {
    const [first] = products;
    if (first) setOrder((before) => (before.product ? before : { ...before, product: first.productId, price: String(first.unitPrice) }));
  }, [stock.data]);
  // From the state before, not from this drawing: two keys may come before the next one.
  const change = (values) => setOrder((before) => ({ ...before, ...values }));
  const put = (name) => (event) => change({ [name]: event.target.value });
  const choose = (id) => {
    const found = products.find((each) => each.productId === id);
    change(found ? { product: id, price: String(found.unitPrice) } : { product: id });
  };
  const pressed = useRef(null); // The press that has no answer yet: pressed again, it places the same order.
  const place = async (event) => {
    event.preventDefault();
    const content = JSON.stringify(order);
    if (pressed.current?.content !== content) pressed.current = { content, key: order.key || newKey() };
    const press = pressed.current;
    setBusy(true);
    const sent = await send(order, press.key);
    setBusy(false);
    setPlaced(sent);
    if (sent.problem && !isAnswered(sent.problem)) return;
    pressed.current = null;
    if (sent.problem) return;
    onPlaced();
    const show = (answered) => setPlaced((before) => (before.order?.orderId === sent.order.orderId ? answered : before));
    await watch(sent, show);
    stock.reload();
    onPlaced();
  };
  const total = Number(order.qty) * Number(order.price);
  return html`<form class="order-form" onSubmit=${place} aria-label="Place an order">
    <h2>Place an order <kbd>N</kbd></h2>
    <${Field} id="f-user" label="User"><input id="f-user" type="text" required value=${order.user} onInput=${put("user")} /></${Field}>
    <${Field} id="f-product" label=${product ? `Product: ${product.productName}, ${number(product.stock)} in stock` : "Product"}>
      <input id="f-product" type="text" required list="products" data-new autocomplete="off" value=${order.product} onInput=${(event) => choose(event.target.value)} /></${Field}>
    <datalist id="products">${products.map((each) => html`<option value=${each.productId}>${each.productName}, ${number(each.stock)} in stock</option>`)}</datalist>
    <div class="pair">
      <${Field} id="f-qty" label="Quantity"><input id="f-qty" type="text" inputmode="numeric" pattern="[0-9]+" required value=${order.qty} onInput=${put("qty")} /></${Field}>
      <${Field} id="f-price" label="Unit price"><input id="f-price" type="text" inputmode="numeric" pattern="[0-9]+" required value=${order.price} onInput=${put("price")} /></${Field}>
    </div>
    <${Field} id="f-key" label="Idempotency-Key"><input id="f-key" class="mono" type="text" placeholder="a new one for each order" value=${order.key} onInput=${put("key")} /></${Field}>
    <${Button} isMain type="submit" isBusy=${isBusy}>Place the order${total > 0 ? `, ${number(total)}` : ""}</${Button}>
    <div class="result" aria-live="polite">${placed && html`<${Placed} placed=${placed} />`}</div>
  </form>`;
}

async function send({ user, product, qty, price }, key) {
  const path = `/order-service/${encodeURIComponent(user)}/orders`;
  const body = { productId: product, qty: Number(qty), unitPrice: Number(price) };
  const command = `curl -H ${quoted(`Idempotency-Key: ${key}`)} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))} ${quoted(location.origin + path)}`;
  try {
    const { value, response } = await ask(path, { method: "POST", body, more: { "Idempotency-Key": key } });
    return { order: value, status: response.status, command, path: `${path}/${value.orderId}` };
  } catch (problem) {
    if (problem instanceof Problem) return { problem, command };
    throw problem;
  }
}

// The order is placed; what may fail now is only to learn its answer. Then it is asked for again, without waiting there.
async function watch(placed, show) {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  for (let more = { Prefer: "wait=10" }; seconds() < ANSWER_SECONDS; more = {}) {
    try {
      const order = (await ask(placed.path, { more })).value;
      show({ ...placed, order, waited: seconds() });
      if (order.status !== "PENDING") return;
    } catch (unknown) {
      if (!(unknown instanceof Problem)) throw unknown;
      show({ ...placed, unknown });
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function Placed({ placed: { order, status, command, problem, unknown, waited } }) {
  if (problem) return html`<${Trouble} problem=${problem} /><${Command} text=${command} />`;
  const late = order.status === "PENDING" && waited > 9 ? `, with no answer for ${span(waited * 1000)}` : "";
  return html`<p><${State} name=${order.status}>${capital(order.status.toLowerCase())}${order.reason ? `: ${reasonOf(order.reason)}` : late}</${State}></p>
    ${unknown && html`<p class="soft">It is placed. Only its answer is not known yet: ${unknown.title}.</p>`}
    ${order.reason && html`<p class="soft">Its code is <span class="mono">${order.reason}</span>.</p>`}
    <p class="soft">${status === 201 ? "Placed" : "It was placed before"}, with the status ${status}: order <a class="mono" href="/ui/orders/${order.orderId}">${order.orderId.slice(0, 8)}</a></p>
    <${Command} text=${command} />`;
}
