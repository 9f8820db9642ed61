package orders;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.UUID;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.support.TransactionTemplate;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** The orders service in Spring Boot: JdbcTemplate, the order and its event in one transaction, virtual threads. */
@SpringBootApplication
@RestController
public class Orders {
  private static final UUID NAMESPACE = UUID.fromString("6f2c9a54-3d0e-5b8a-9c41-7be0f5d1a2c3");
  private static final String TOPIC = System.getenv("CATALOG_TOPIC");
  private static final String INSERT_ORDER =
      "INSERT INTO orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at, status, reason,"
          + " version, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'PENDING', NULL, 1, ?)";
  private static final String INSERT_EVENT =
      "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`, payload,"
          + " traceparent, created_at, published_at, lane, error) VALUES (?, '1.0', '/order-service',"
          + " 'order.placed.v1', 'order', ?, ?, ?, ?, ?, NULL, ?, NULL, ?, NULL)";
  private static final String PAGE =
      "SELECT product_id, qty, unit_price, total_price, created_at, order_id, status, reason FROM orders"
          + " FORCE INDEX (ix_orders_user_id_id) WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?";
  private static final String NUMBER = "SELECT id FROM orders WHERE order_id = ? AND user_id = ?";
  private static final DateTimeFormatter EVENT_TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'");
  private static final DateTimeFormatter SHOWN = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'+00:00'");

  private final JdbcTemplate jdbc;
  private final TransactionTemplate transaction;
  private final ObjectMapper json;

  Orders(JdbcTemplate jdbc, TransactionTemplate transaction, ObjectMapper json) {
    this.jdbc = jdbc;
    this.transaction = transaction;
    this.json = json;
  }

  record Wanted(
      @NotNull @Size(min = 1, max = 120) String productId,
      @NotNull @Min(1) @Max(10_000) Integer qty,
      @NotNull @Min(0) @Max(100_000_000) Integer unitPrice) {}

  record Event(String productId, int qty, int unitPrice, int totalPrice, String orderId, String userId) {}

  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Order(
      String productId, int qty, int unitPrice, int totalPrice, String createdAt, String orderId, String status,
      String reason) {}

  @PostMapping("/order-service/{user}/orders")
  ResponseEntity<Order> place(@PathVariable String user, @RequestBody @Valid Wanted wanted)
      throws JsonProcessingException {
    long total = (long) wanted.qty() * wanted.unitPrice();
    if (total > Integer.MAX_VALUE || user.length() > 255) {
      throw new ResponseStatusException(HttpStatus.UNPROCESSABLE_ENTITY);
    }
    String id = UUID.randomUUID().toString();
    LocalDateTime now = LocalDateTime.ofInstant(Instant.now().truncatedTo(ChronoUnit.MICROS), ZoneOffset.UTC);
    String product = wanted.productId();
    Event event = new Event(product, wanted.qty(), wanted.unitPrice(), (int) total, id, user);
    String payload = json.writeValueAsString(event);
    transaction.executeWithoutResult(
        status -> {
          jdbc.update(INSERT_ORDER, product, wanted.qty(), wanted.unitPrice(), total, user, id, now, now);
          jdbc.update(
              INSERT_EVENT, eventId(id), id, EVENT_TIME.format(now), TOPIC, product, payload, now, TOPIC);
        });
    Order placed = new Order(product, wanted.qty(), wanted.unitPrice(), (int) total, null, id, "PENDING", null);
    return ResponseEntity.status(HttpStatus.CREATED).body(placed);
  }

  @GetMapping("/order-service/{user}/orders")
  ResponseEntity<List<Order>> list(
      @PathVariable String user, @RequestParam @Min(1) @Max(1000) int limit,
      @RequestParam(required = false) String after) {
    Long number = after == null ? Long.valueOf(0) : jdbc.queryForObject(NUMBER, Long.class, after, user);
    List<Order> found = jdbc.query(PAGE, Orders::read, user, number, limit + 1);
    if (found.size() <= limit) {
      return ResponseEntity.ok(found);
    }
    List<Order> page = found.subList(0, limit);
    String last = page.get(limit - 1).orderId();
    String next = "</order-service/" + user + "/orders?limit=" + limit + "&after=" + last + ">; rel=\"next\"";
    return ResponseEntity.ok().header("Link", next).body(page);
  }

  private static Order read(ResultSet row, int number) throws SQLException {
    String created = SHOWN.format(row.getObject(5, LocalDateTime.class));
    return new Order(
        row.getString(1), row.getInt(2), row.getInt(3), row.getInt(4), created, row.getString(6), row.getString(7),
        row.getString(8));
  }

  /** A UUID of version 5, as the Python service makes it. */
  private static String eventId(String orderId) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-1");
      ByteBuffer space = ByteBuffer.allocate(16).putLong(NAMESPACE.getMostSignificantBits());
      digest.update(space.putLong(NAMESPACE.getLeastSignificantBits()).array());
      ByteBuffer hash = ByteBuffer.wrap(digest.digest(("order.placed.v1:" + orderId).getBytes(StandardCharsets.UTF_8)));
      long most = (hash.getLong() & ~0xf000L) | 0x5000L;
      long least = (hash.getLong() & 0x3fffffffffffffffL) | 0x8000000000000000L;
      return new UUID(most, least).toString();
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  public static void main(String[] arguments) {
    SpringApplication.run(Orders.class, arguments);
  }
}
