// The stock: what every product has, whether it adds up, and supplies.

import { html, useState } from "./preact-htm.js";
import { useData } from "./api.js";
import { Button, Field, Outcome, Panel, PartProblem, Sum, Time, Trouble, Verdict, useAction } from "./parts.js";
import { number, plural } from "./words.js";

export function Stock() {
  const stock = useData("/admin/stock", { every: 5 });
  const [chosen, choose] = useState("");
  return html`<${Panel} of=${stock} rows=${8}>${({ products, sum, supplies, more, problem }) => html`
    <${Head} products=${products} sum=${sum} more=${more} />
    <${PartProblem} text=${problem} />
    ${stock.problem && html`<${Trouble} problem=${stock.problem} onAgain=${stock.reload} />`}
    <div class="desk">
      <section aria-label="Products">${products.length ? html`<${Products} products=${products} choose=${choose} />` : !problem && html`<p class="none">No product yet. Supply the first one with the form.</p>`}
        ${more && html`<p class="foot">Only the first ${number(products.length)} products are shown.</p>`}
        <${Supplies} supplies=${supplies || []} />
      </section>
      <aside class="order-form">
        ${sum && html`<h2>The sum</h2><${Sum} stock=${sum} />`}
        <${SupplyForm} key=${chosen} products=${products} more=${more} chosen=${chosen} onDone=${stock.reload} />
      </aside>
    </div>`}</${Panel}>
    ${stock.data == null && html`<h1 class="vh" tabindex="-1">Stock</h1>`}`;
}

function Head({ products, sum, more }) {
  const wrong = products.filter((each) => !each.addsUp);
  const isGood = sum ? sum.addsUp && !wrong.length : true;
  return html`<section class="head">
    <h1 tabindex="-1">${!sum ? "Stock" : html`<${Verdict} isGood=${isGood} good="" bad="" />${isGood ? "The stock adds up" : "The stock does not add up"}`}</h1>
    <p>${isGood ? html`For each product, what is in stock and what is reserved is what was supplied.` : html`${plural(wrong.length, "product")} ${wrong.length === 1 ? "has" : "have"} more or less than was supplied. <a href="/ui/doctor">Ask the doctor</a>`}${more && " More products exist than are shown."}</p>
  </section>`;
}

const Products = ({ products, choose }) => html`<table class="cards products">
  <thead><tr><th>Product</th><th>Name</th><th class="num">Unit price</th><th class="num">In stock</th><th class="num">Reserved</th><th class="num">Supplied</th><th>Check</th><th><span class="vh">Change</span></th></tr></thead>
  <tbody>${products.map((each) => html`<tr key=${each.productId}>
    <td class="cut"><b>${each.productId}</b></td><td class="cut soft">${each.productName}</td><td class="num" data-name="price">${number(each.unitPrice)}</td>
    <td class="num" data-name="in stock"><b>${number(each.stock)}</b></td><td class="num" data-name="reserved">${number(each.reserved)}</td><td class="num" data-name="supplied">${number(each.supplied)}</td>
    <td class="nb"><${Verdict} isGood=${each.addsUp} good="adds up" bad=${difference(each.surplus)} /></td>
    <td class="num"><button class="quiet" type="button" data-row aria-label="Change the stock of ${each.productId}" onClick=${() => (choose(each.productId), setTimeout(() => document.getElementById("s-qty")?.focus()))}>Change</button></td></tr>`)}</tbody>
</table>`;

const difference = (surplus) => (surplus == null ? "does not add up" : surplus > 0 ? `${number(surplus)} too many` : `${number(-surplus)} missing`);

const Supplies = ({ supplies }) => html`<section class="after"><h2>The newest supplies</h2>
  ${supplies.length ? html`<table class="cards"><thead><tr><th>When</th><th>Product</th><th class="num">Pieces</th><th>Note</th></tr></thead>
    <tbody>${supplies.map((each) => html`<tr><td class="soft nb"><${Time} at=${each.at} /></td><td class="cut">${each.productId}</td><td class="num">${each.qty > 0 ? "+" : "−"}${number(Math.abs(each.qty))}</td><td class="soft wrap">${each.note}</td></tr>`)}</tbody></table>`
  : html`<p class="none">Nothing was supplied yet.</p>`}</section>`;

function SupplyForm({ products, more, chosen, onDone }) {
  const [supply, setSupply] = useState({ product: chosen, qty: "", note: "", name: "", price: "" });
  const path = `/admin/stock/${encodeURIComponent(supply.product)}`;
  const [kind, setKind] = useState("supplies");
  const action = useAction(`${path}/${kind}`, { onDone });
  const put = (name) => (event) => setSupply((before) => ({ ...before, [name]: event.target.value }));
  const isListed = !supply.product || products.some((each) => each.productId === supply.product);
  // If there are more products than are shown, a person says whether it is a new one.
  const [saidNew, sayNew] = useState(null);
  const canBeNew = !isListed && kind === "supplies";
  const isNew = canBeNew && (saidNew ?? !more);
  const send = (event) => {
    event.preventDefault();
    const body = { qty: Number(supply.qty), note: supply.note };
    action.run(isNew ? { ...body, productName: supply.name || supply.product, unitPrice: Number(supply.price) } : body);
  };
  return html`<form onSubmit=${send} aria-label="Change the stock">
    <h2>Change the stock <kbd>N</kbd></h2>
    <${Field} id="s-product" label="Product"><input id="s-product" type="text" required list="stock-products" data-new autocomplete="off" value=${supply.product} onInput=${put("product")} /></${Field}>
    <datalist id="stock-products">${products.map((each) => html`<option value=${each.productId}>${each.productName}</option>`)}</datalist>
    ${canBeNew && html`<p class="choices"><label><input type="checkbox" checked=${isNew} onChange=${(event) => sayNew(event.target.checked)} /> it is a new product</label></p>`}
    ${isNew && html`<div class="pair">
      <${Field} id="s-name" label="Name"><input id="s-name" type="text" placeholder=${supply.product} value=${supply.name} onInput=${put("name")} /></${Field}>
      <${Field} id="s-price" label="Unit price"><input id="s-price" type="text" inputmode="numeric" pattern="[0-9]+" required value=${supply.price} onInput=${put("price")} /></${Field}></div>`}
    <${Field} id="s-qty" label="Pieces"><input id="s-qty" type="text" inputmode="numeric" pattern="-?[0-9]+" required value=${supply.qty} onInput=${put("qty")} /></${Field}>
    <${Field} id="s-note" label="Note"><input id="s-note" type="text" required maxlength="200" placeholder="a delivery, a count, a person" value=${supply.note} onInput=${put("note")} /></${Field}>
    <fieldset class="choices"><legend class="vh">Kind</legend>
      <label><input type="radio" name="kind" checked=${kind === "supplies"} onChange=${() => setKind("supplies")} /> a supply: so many more</label>
      <label><input type="radio" name="kind" checked=${kind === "corrections"} onChange=${() => setKind("corrections")} /> a correction: what a count found, with a minus if pieces are missing</label></fieldset>
    <${Button} isMain type="submit" isBusy=${action.isBusy}>${kind === "supplies" ? "Supply" : "Correct"}</${Button}>
    <${Outcome} done=${action.done} />
  </form>`;
}
