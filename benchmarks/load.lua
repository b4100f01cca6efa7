-- Posts the bodies of a file one after the other and looks at every answer.
--
-- Arguments: FOLDER CHECK KEY. FOLDER/bodies has a body a line. FOLDER/expected has what may be
-- answered, a line each: with CHECK "prediction" what describes the record, a tab, and its
-- probability; with "whole" the whole answer.
-- KEY is what idempotency keys begin with, or "-" for none. The numbers of the predictions that were
-- acknowledged are written to FOLDER/acknowledged-THREAD.

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
  thread:set("number", #threads)
end

local function lines_of(path)
  local found = {}
  for line in io.lines(path) do
    found[#found + 1] = line
  end
  return found
end

local bodies, expected, check, key, acknowledged
local asked = 0
local headers = { ["Content-Type"] = "application/json" }

function init(args)
  local folder = args[1]
  check, key = args[2], args[3]
  bodies, expected = lines_of(folder .. "/bodies"), {}
  for _, line in ipairs(lines_of(folder .. "/expected")) do
    if check == "prediction" then
      local features, probability = line:match("^(.*)\t(.*)$")
      expected[features] = probability
    else
      expected[line] = true
    end
  end
  if check == "prediction" then
    acknowledged = io.open(folder .. "/acknowledged-" .. number, "a")
    acknowledged:setvbuf("line")
  end
  right, wrong = 0, 0
  example = ""
end

function request()
  asked = asked + 1
  if key ~= "-" then
    headers["Idempotency-Key"] = key .. "-" .. number .. "-" .. asked
  end
  return wrk.format("POST", nil, headers, bodies[asked % #bodies + 1])
end

local function is_right(body)
  if check ~= "prediction" then
    return expected[body]
  end
  local features = body:match('"features":(%b[])')
  local probability = body:match('"probability":([^,}]+)')
  local id = body:match('"id":"?([^",}]+)')
  if features and id and expected[features] == probability then
    acknowledged:write(id, "\n")
    return true
  end
  return false
end

function response(status, _, body)
  if status == 200 and is_right(body) then
    right = right + 1
  else
    wrong = wrong + 1
    if example == "" then
      example = status .. " " .. body:sub(1, 200)
    end
  end
end

function done(summary, latency)
  local right, wrong, example = 0, 0, ""
  for _, thread in ipairs(threads) do
    right, wrong = right + thread:get("right"), wrong + thread:get("wrong")
    example = example ~= "" and example or thread:get("example")
  end
  local errors = summary.errors
  -- A line each; the answer that was wrong comes last and may have any bytes but line breaks.
  io.write("\nresult\n")
  io.write(string.format("microseconds %d\nright %d\nwrong %d\n", summary.duration, right, wrong))
  io.write(string.format("failed %d\n", errors.connect + errors.read + errors.write + errors.timeout))
  for _, share in ipairs({ 50, 90, 99 }) do
    io.write(string.format("p%d %d\n", share, latency:percentile(share)))
  end
  io.write("example ", (example:gsub("[\r\n]", " ")), "\n")
end
