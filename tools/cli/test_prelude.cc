#include "tools/cli/test_prelude.h"

namespace tandem::cli {

const char kTestPrelude[] = R"lua(
-- The report goes to standard output.
function print(...)
  local words = {}
  for i = 1, select('#', ...) do words[i] = tostring((select(i, ...))) end
  io.stderr:write(table.concat(words, '\t'), '\n')
end

local MAX_DIFFERENCES = 20
local MAX_DEPTH = 16
local LONG_TEXT = 80

local function fail(text) error(text, 0) end

-- Keys in an order of their own: numbers, then strings, then the rest.
local function sorted_keys(...)
  local keys, seen = {}, {}
  for _, t in ipairs({...}) do
    for key in pairs(t) do
      if not seen[key] then seen[key] = true; keys[#keys + 1] = key end
    end
  end
  local rank = {number = 1, string = 2}
  table.sort(keys, function(a, b)
    local ra, rb = rank[type(a)] or 3, rank[type(b)] or 3
    if ra ~= rb then return ra < rb end
    if ra == 3 then return tostring(a) < tostring(b) end
    return a < b
  end)
  return keys
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(c)
    if c == '"' or c == '\\' then return '\\' .. c end
    if c == '\n' then return '\\n' end
    return c:byte() < 128 and ('\\x%02x'):format(c:byte()) or c
  end) .. '"'
end

local function show_key(key)
  if type(key) == 'string' and key:match('^[%a_][%w_]*$') then return key end
  return '[' .. (type(key) == 'string' and quote(key) or tostring(key)) .. ']'
end

local function show(value, depth)
  depth = depth or 1
  if type(value) == 'string' then return quote(value) end
  if type(value) == 'number' then
    return value == math.floor(value) and math.abs(value) < 1e15 and ('%d'):format(value)
      or ('%.17g'):format(value)
  end
  if type(value) ~= 'table' then return tostring(value) end
  if depth > 4 then return '{...}' end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = show(item, depth + 1) end
  local listed = #parts
  for _, key in ipairs(sorted_keys(value)) do
    local in_list = type(key) == 'number' and key >= 1 and key <= listed and key % 1 == 0
    if not in_list then
      parts[#parts + 1] = show_key(key) .. ' = ' .. show(value[key], depth + 1)
    end
  end
  return '{' .. table.concat(parts, ', ') .. '}'
end

-- Of two long texts only what stands around the first difference is shown.
local function show_pair(expected, actual)
  if type(expected) ~= 'string' or type(actual) ~= 'string' or
      math.max(#expected, #actual) <= LONG_TEXT then
    return ('expected %s, got %s'):format(show(expected), show(actual))
  end
  local at = 1
  while expected:byte(at) == actual:byte(at) do at = at + 1 end
  local from = math.max(1, at - 20)
  return ('from byte %d on: expected %s, got %s'):format(at,
    quote(expected:sub(from, from + LONG_TEXT)), quote(actual:sub(from, from + LONG_TEXT)))
end

-- Appends a line for each place where the two differ.
local function compare(expected, actual, path, found, depth)
  if rawequal(expected, actual) or (expected ~= expected and actual ~= actual) then return end
  if type(expected) == 'table' and type(actual) == 'table' and depth <= MAX_DEPTH then
    for _, key in ipairs(sorted_keys(expected, actual)) do
      local name = show_key(key)
      local step = name:sub(1, 1) == '[' and name or (path == '' and name or '.' .. name)
      compare(expected[key], actual[key], path .. step, found, depth + 1)
    end
    return
  end
  found[#found + 1] = (path == '' and '' or path .. ': ') .. show_pair(expected, actual)
end

local function differences(expected, actual)
  local found = {}
  compare(expected, actual, '', found, 1)
  return found
end

local function check_equal(expected, actual)
  local found = differences(expected, actual)
  if #found == 0 then return end
  if type(expected) ~= 'table' or type(actual) ~= 'table' then fail(found[1]) end
  local more = #found - MAX_DIFFERENCES
  if more > 0 then found[MAX_DIFFERENCES + 1] = ('... and %d more'):format(more) end
  fail('the values differ:\n  ' ..
    table.concat(found, '\n  ', 1, math.min(#found, MAX_DIFFERENCES + 1)))
end

local pending  -- where an expectation waits for its comparison

local comparisons = {}
comparisons.__index = function(_, name)
  local method = rawget(comparisons, name)
  if method == nil then error('expect() has no comparison ' .. show(name), 2) end
  return method
end
function comparisons:equals(expected)
  pending = nil
  check_equal(expected, rawget(self, 'actual'))
end
function comparisons:differs_from(unexpected)
  pending = nil
  if #differences(unexpected, rawget(self, 'actual')) == 0 then
    fail('expected something else than ' .. show(unexpected))
  end
end
function comparisons:contains(part)
  pending = nil
  local whole = rawget(self, 'actual')
  if type(whole) == 'string' then
    if whole:find(tostring(part), 1, true) then return end
  elseif type(whole) == 'table' then
    for _, item in pairs(whole) do
      if #differences(part, item) == 0 then return end
    end
  end
  fail(('expected %s in %s'):format(show(part), show(whole)))
end

function expect(...)
  if select('#', ...) >= 2 then
    local actual, expected = ...
    return check_equal(expected, actual)
  end
  local where = debug.getinfo(2, 'Sl')
  pending = ('%s:%d: '):format(where.short_src, where.currentline)
  return setmetatable({actual = (...)}, comparisons)
end

function expect_error(body, text)
  if type(body) ~= 'function' then error('expect_error(function, text): no function given', 2) end
  local ok, raised = pcall(body)
  if ok then fail('expected an error, got none') end
  raised = type(raised) == 'table' and raised.err or tostring(raised)
  if text and not raised:find(text, 1, true) then
    fail(('expected an error with %s, got %s'):format(show(text), show(raised)))
  end
  return raised
end

return function()
  local where = pending
  pending = nil
  if where then
    fail(where .. 'expect(value) compares with nothing: expect(value, expected) or ' ..
      'expect(value):equals(expected)')
  end
end
)lua";

}  // namespace tandem::cli
