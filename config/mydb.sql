-- The tables of the practice with Kafka Connect. `mydb` is never the service's own database.
CREATE DATABASE IF NOT EXISTS mydb;

CREATE TABLE IF NOT EXISTS mydb.users (
  id INT AUTO_INCREMENT PRIMARY KEY,
  user_id VARCHAR(255),
  name VARCHAR(255)
) DEFAULT CHARSET = utf8mb4;

-- The sink writes here by upsert, so a record that comes again makes no second row.
CREATE TABLE IF NOT EXISTS mydb.orders (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  product_id VARCHAR(120) NOT NULL,
  qty INT NOT NULL,
  unit_price INT NOT NULL,
  total_price INT NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  order_id VARCHAR(255) NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  UNIQUE KEY uq_orders_order_id (order_id),
  KEY ix_orders_user_id_id (user_id, id)
) DEFAULT CHARSET = utf8mb4;
