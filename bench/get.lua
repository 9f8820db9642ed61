-- Gets the addresses in the file PATHS, a line each, one after the other.
local requests, turn = {}, 0

function init(args)
  for path in io.lines(os.getenv("PATHS")) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
  math.randomseed(os.time())
  turn = math.random(1, #requests)
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

dofile(os.getenv("REPORT"))
