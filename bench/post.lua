-- Places orders of many users; REPLAYS of a hundred are sent with a key that was used before.
-- TOKENS is a file with the token of each user, a line each.
local replays = tonumber(os.getenv("REPLAYS") or "0")
local requests, turn = {}, 0

local function tokens()
  local found, path = {}, os.getenv("TOKENS") or ""
  if path ~= "" then
    for line in io.lines(path) do found[#found + 1] = line end
  end
  return found
end

function init(args)
  math.randomseed(os.time())
  local run = math.random(1, 1000000000)
  local kinds, token = {}, tokens()
  for number = 1, 100 do
    local headers = { ["Content-Type"] = "application/json" }
    if replays > 0 and number <= replays then
      headers["Idempotency-Key"] = "bench-" .. run .. "-" .. number
    end
    if token[number] then
      headers["Authorization"] = "Bearer " .. token[number]
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
