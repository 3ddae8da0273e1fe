#!lua name=stamped

-- Hashes that remember when they were last changed. The stamp is a field of the hash that readers do not see.
local STAMP = '_changed_'

local function one_key(keys)
  if #keys ~= 1 then
    return server.error_reply('ERR exactly one key name is expected')
  end
end

-- FCALL stamped_set 1 KEY FIELD VALUE [FIELD VALUE ...]: as HSET, and stamps the hash.
local function stamped_set(keys, args)
  local wrong = one_key(keys)
  if wrong then
    return wrong
  end
  local seconds = server.call('TIME')[1]
  return server.call('HSET', keys[1], STAMP, seconds, unpack(args))
end

-- FCALL_RO stamped_get 1 KEY: as HGETALL, without the stamp.
local function stamped_get(keys)
  local wrong = one_key(keys)
  if wrong then
    return wrong
  end
  server.setresp(3)
  local fields = server.call('HGETALL', keys[1])
  fields.map[STAMP] = nil
  return fields
end

-- FCALL_RO stamped_when 1 KEY: the second, in Unix time, of the last change.
local function stamped_when(keys)
  return one_key(keys) or server.call('HGET', keys[1], STAMP)
end

server.register_function('stamped_set', stamped_set)
server.register_function{function_name = 'stamped_get', callback = stamped_get, flags = {'no-writes'}}
server.register_function{function_name = 'stamped_when', callback = stamped_when, flags = {'no-writes'}}
