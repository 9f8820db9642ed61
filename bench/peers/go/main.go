// The orders service in Go: net/http and database/sql, the order and its event in one transaction.
// With MODE=group the requests that wait are committed together, as in the Python service; otherwise each alone.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
)

const (
	connections = 20
	groupMax    = 64
	bodyMax     = 64 << 10
	insertOrder = "INSERT INTO orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at, status, reason, version, updated_at) VALUES "
	orderValues = "(?, ?, ?, ?, ?, ?, ?, 'PENDING', NULL, 1, ?)"
	insertEvent = "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`, payload, traceparent, created_at, published_at, lane, error) VALUES "
	eventValues = "(?, '1.0', '/order-service', 'order.placed.v1', 'order', ?, ?, ?, ?, ?, NULL, ?, NULL, ?, NULL)"
	columns     = "SELECT id, product_id, qty, unit_price, total_price, created_at, order_id, status, reason FROM orders"
	onePage     = columns + " FORCE INDEX (ix_orders_user_id_id) WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?"
)

var (
	namespace = uuid.MustParse("6f2c9a54-3d0e-5b8a-9c41-7be0f5d1a2c3")
	topic     = os.Getenv("CATALOG_TOPIC")
)

type order struct {
	ProductID  string `json:"productId"`
	Qty        int    `json:"qty"`
	UnitPrice  int    `json:"unitPrice"`
	TotalPrice int    `json:"totalPrice"`
	CreatedAt  string `json:"createdAt,omitempty"`
	OrderID    string `json:"orderId"`
	Status     string `json:"status,omitempty"`
	Reason     string `json:"reason,omitempty"`
	UserID     string `json:"userId,omitempty"`
}

// placement is an order with its event, and where its request waits.
type placement struct {
	order, event []any
	done         chan error
}

type service struct {
	db                      *sql.DB
	place                   func(context.Context, *placement) error
	order, event, page, one *sql.Stmt
	waiting                 chan *placement
}

func open() *sql.DB {
	address := must(url.Parse(os.Getenv("ORDERS_DATABASE_URL")))
	config := mysql.NewConfig()
	config.User = address.User.Username()
	config.Passwd, _ = address.User.Password()
	config.Net, config.Addr, config.DBName = "tcp", address.Host, strings.Trim(address.Path, "/")
	config.ParseTime, config.InterpolateParams = true, os.Getenv("MODE") == "group"
	config.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'", "time_zone": "'+00:00'"}
	db := sql.OpenDB(must(mysql.NewConnector(config)))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

func decode(body io.Reader) (*order, error) {
	var wanted struct {
		ProductID *string `json:"productId"`
		Qty       *int    `json:"qty"`
		UnitPrice *int    `json:"unitPrice"`
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil || decoder.More() || wanted.ProductID == nil || wanted.Qty == nil || wanted.UnitPrice == nil {
		return nil, errors.New("this is not one object with these three fields")
	}
	id, qty, price := *wanted.ProductID, *wanted.Qty, *wanted.UnitPrice
	if length := utf8.RuneCountInString(id); length < 1 || length > 120 || qty < 1 || qty > 10_000 ||
		price < 0 || price > 100_000_000 || qty*price > 1<<31-1 {
		return nil, errors.New("a value is out of range")
	}
	return &order{ProductID: id, Qty: qty, UnitPrice: price, TotalPrice: qty * price}, nil
}

func compact(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n")
}

func (s *service) post(answer http.ResponseWriter, request *http.Request) {
	placed, err := decode(http.MaxBytesReader(answer, request.Body, bodyMax))
	user := request.PathValue("user")
	if err != nil || utf8.RuneCountInString(user) > 255 {
		http.Error(answer, "this is no order", http.StatusUnprocessableEntity)
		return
	}
	placed.OrderID = uuid.NewString()
	event := *placed
	event.UserID = user
	now := time.Now().UTC()
	id := uuid.NewSHA1(namespace, []byte("order.placed.v1:"+placed.OrderID)).String()
	waits := &placement{
		order: []any{placed.ProductID, placed.Qty, placed.UnitPrice, placed.TotalPrice, user, placed.OrderID, now, now},
		event: []any{id, placed.OrderID, now.Format("2006-01-02T15:04:05.000000Z"), topic, placed.ProductID, compact(event), now, topic},
	}
	if err := s.place(request.Context(), waits); err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	placed.Status = "PENDING"
	write(answer, http.StatusCreated, placed)
}

// each commits one order in a transaction of its own.
func (s *service) each(ctx context.Context, wanted *placement) error {
	transaction, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer transaction.Rollback()
	if _, err = transaction.StmtContext(ctx, s.order).Exec(wanted.order...); err == nil {
		_, err = transaction.StmtContext(ctx, s.event).Exec(wanted.event...)
	}
	if err == nil {
		err = transaction.Commit()
	}
	return err
}

// together lets the order wait for the group that is committed next.
func (s *service) together(_ context.Context, wanted *placement) error {
	wanted.done = make(chan error, 1)
	s.waiting <- wanted
	return <-wanted.done
}

func (s *service) commitGroups() {
	for first := range s.waiting {
		group := []*placement{first}
		for len(group) < groupMax && len(s.waiting) > 0 {
			group = append(group, <-s.waiting)
		}
		for err, number := s.commit(group), 0; number < len(group); number++ {
			group[number].done <- err
		}
	}
}

// commit sends the rows of a group and the COMMIT in one round trip.
func (s *service) commit(group []*placement) error {
	orders, events := make([]string, len(group)), make([]string, len(group))
	var values, later []any
	for number, one := range group {
		orders[number], events[number] = orderValues, eventValues
		values, later = append(values, one.order...), append(later, one.event...)
	}
	text := "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END; START TRANSACTION; " + insertOrder + strings.Join(orders, ", ") + "; " + insertEvent + strings.Join(events, ", ") + "; COMMIT; END"
	_, err := s.db.Exec(text, append(values, later...)...)
	return err
}

func (s *service) list(answer http.ResponseWriter, request *http.Request) {
	query, user, after := request.URL.Query(), request.PathValue("user"), 0
	limit, err := strconv.Atoi(query.Get("limit"))
	if id := query.Get("after"); id != "" && err == nil {
		err = s.one.QueryRow(id, user).Scan(&after)
	}
	if err != nil || limit < 1 || limit > 1000 {
		http.Error(answer, "limit is 1 to 1000, after an order of this user", http.StatusBadRequest)
		return
	}
	found, err := s.read(user, after, limit)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if len(found) > limit {
		found = found[:limit]
		next := "/order-service/" + url.PathEscape(user) + "/orders?limit=" + strconv.Itoa(limit) + "&after=" + found[limit-1].OrderID
		answer.Header().Set("Link", "<"+next+">; rel=\"next\"")
	}
	write(answer, http.StatusOK, found)
}

func (s *service) read(user string, after, limit int) ([]order, error) {
	rows, err := s.page.Query(user, after, limit+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make([]order, 0, limit+1)
	for rows.Next() {
		var one order
		var id int
		var created time.Time
		var reason sql.NullString
		if err := rows.Scan(&id, &one.ProductID, &one.Qty, &one.UnitPrice, &one.TotalPrice, &created, &one.OrderID, &one.Status, &reason); err != nil {
			return nil, err
		}
		one.CreatedAt, one.Reason = created.Format("2006-01-02T15:04:05.000-07:00"), reason.String
		found = append(found, one)
	}
	return found, rows.Err()
}

func write(answer http.ResponseWriter, status int, value any) {
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	io.WriteString(answer, compact(value))
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	db := open()
	s := &service{db: db, waiting: make(chan *placement, 4096)}
	s.order, s.event = must(db.Prepare(insertOrder+orderValues)), must(db.Prepare(insertEvent+eventValues))
	s.page, s.one = must(db.Prepare(onePage)), must(db.Prepare("SELECT id FROM orders WHERE order_id = ? AND user_id = ?"))
	s.place = s.each
	if os.Getenv("MODE") == "group" {
		s.place = s.together
		go s.commitGroups()
	}
	http.HandleFunc("POST /order-service/{user}/orders", s.post)
	http.HandleFunc("GET /order-service/{user}/orders", s.list)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("API_PORT"), nil))
}
