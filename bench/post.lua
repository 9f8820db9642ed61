-- Places orders of many users; REPLAYS of a hundred are sent with a key that was used before.
local replays = tonumber(os.getenv("REPLAYS") or "0")
local requests, turn = {}, 0

function init(args)
  math.randomseed(os.time())
  local run = math.random(1, 1000000000)
  local kinds = {}
  for number = 1, 100 do
    local headers = { ["Content-Type"] = "application/json" }
    if replays > 0 and number <= replays then
      headers["Idempotency-Key"] = "bench-" .. run .. "-" .. number
    end
    local body = string.format('{"productId":"CATALOG-%03d","qty":1,"unitPrice":1500}', number % 3 + 1)
    kinds[number] = wrk.format("POST", "/order-service/user-" .. number .. "/orders", headers, body)
  end
  for number = 1, 100 do
    requests[number] = kinds[(number * 37) % 100 + 1]
  end
end

function request()
  turn = turn % 100 + 1
  return requests[turn]
end

dofile(os.getenv("REPORT"))
