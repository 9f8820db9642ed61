// The orders service in Node: Fastify and the mariadb driver, the order and its event in one transaction.
// As many processes as WORKERS share the port.
import cluster from "node:cluster";
import { createHash, randomUUID } from "node:crypto";
import Fastify from "fastify";
import mariadb from "mariadb";

const WORKERS = Number(process.env.WORKERS ?? 2);
const CONNECTIONS = 10; // Of each process.
const NAMESPACE = Buffer.from("6f2c9a543d0e5b8a9c417be0f5d1a2c3", "hex");
const TOPIC = process.env.CATALOG_TOPIC || "example-catalog-topic";
const INSERT_ORDER =
  "INSERT INTO orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at, status," +
  " reason, version, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'PENDING', NULL, 1, ?)";
const INSERT_EVENT =
  "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`, payload," +
  " traceparent, created_at, published_at, lane, error) VALUES" +
  " (?, '1.0', '/order-service', 'order.placed.v1', 'order', ?, ?, ?, ?, ?, NULL, ?, NULL, ?, NULL)";
const PAGE =
  "SELECT product_id, qty, unit_price, total_price, created_at, order_id, status, reason FROM orders" +
  " FORCE INDEX (ix_orders_user_id_id) WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?";
const text = (length) => ({ type: "string", minLength: 1, maxLength: length });
const BODY = {
  type: "object",
  additionalProperties: false,
  required: ["productId", "qty", "unitPrice"],
  properties: {
    productId: text(120),
    qty: { type: "integer", minimum: 1, maximum: 10_000 },
    unitPrice: { type: "integer", minimum: 0, maximum: 100_000_000 },
  },
};
const USER = { type: "object", properties: { user: text(255) } };

// A UUID of version 5, as the Python service makes it.
function eventId(orderId) {
  const bytes = createHash("sha1").update(NAMESPACE).update(`order.placed.v1:${orderId}`).digest();
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

async function inTransaction(pool, work) {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    await work(connection);
    await connection.commit();
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    connection.release();
  }
}

function serve(pool) {
  const app = Fastify({
    bodyLimit: 64 * 1024,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });

  app.post("/order-service/:user/orders", { schema: { body: BODY, params: USER } }, async (request, reply) => {
    const { productId, qty, unitPrice } = request.body;
    const totalPrice = qty * unitPrice;
    if (totalPrice > 2 ** 31 - 1) return reply.code(422).send({ title: "the total is too large" });
    const user = request.params.user;
    const orderId = randomUUID();
    const placed = { productId, qty, unitPrice, totalPrice, orderId };
    const now = new Date().toISOString();
    const at = now.slice(0, -1).replace("T", " ");
    const payload = JSON.stringify({ ...placed, userId: user });
    await inTransaction(pool, async (connection) => {
      await connection.execute(INSERT_ORDER, [productId, qty, unitPrice, totalPrice, user, orderId, at, at]);
      await connection.execute(INSERT_EVENT, [
        eventId(orderId), orderId, now.replace("Z", "000Z"), TOPIC, productId, payload, at, TOPIC,
      ]);
    });
    return reply.code(201).send({ ...placed, status: "PENDING" });
  });

  app.get("/order-service/:user/orders", { schema: { params: USER } }, async (request, reply) => {
    const user = request.params.user;
    const limit = Number(request.query.limit ?? 100);
    if (!(limit >= 1 && limit <= 1000)) return reply.code(400).send({ title: "limit is 1 to 1000" });
    let after = 0;
    if (request.query.after) {
      const known = "SELECT id FROM orders WHERE order_id = ? AND user_id = ?";
      const [row] = await pool.execute(known, [request.query.after, user]);
      if (!row) return reply.code(400).send({ title: "after is no order of this user" });
      after = row.id;
    }
    const rows = await pool.execute(PAGE, [user, after, limit + 1]);
    const found = rows.slice(0, limit).map((row) => ({
      productId: row.product_id,
      qty: row.qty,
      unitPrice: row.unit_price,
      totalPrice: row.total_price,
      createdAt: row.created_at.toISOString().replace("Z", "+00:00"),
      orderId: row.order_id,
      status: row.status,
      ...(row.reason && { reason: row.reason }),
    }));
    if (rows.length > limit) {
      const last = found[limit - 1].orderId;
      const next = `/order-service/${encodeURIComponent(user)}/orders?limit=${limit}&after=${last}`;
      reply.header("Link", `<${next}>; rel="next"`);
    }
    return reply.send(found);
  });
  return app;
}

if (cluster.isPrimary) {
  for (let number = 0; number < WORKERS; number++) cluster.fork();
  process.on("SIGTERM", () => process.exit(0)); // The workers end with their channel.
} else {
  const url = new URL(process.env.ORDERS_DATABASE_URL.replace("mariadb+pymysql", "mariadb"));
  const pool = mariadb.createPool({
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: url.password,
    database: url.pathname.slice(1),
    connectionLimit: CONNECTIONS,
    timezone: "Z",
    initSql: "SET tx_isolation = 'READ-COMMITTED', time_zone = '+00:00'",
  });
  await serve(pool).listen({ port: Number(process.env.API_PORT), host: "127.0.0.1" });
}
