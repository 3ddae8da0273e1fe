-- tandem-cli functions test tools/example/stamped_test.lua
-- The library beside this file, stamped.lua, is loaded into a fresh server for each test.

test('a change is stamped with the time', function()
  expect(fcall('stamped_set', {'greeting'}, {'text', 'hello'}), 2)
  expect(fcall_ro('stamped_when', {'greeting'}), tostring(clock.now()))

  clock.advance(60)
  expect(fcall('stamped_set', {'greeting'}, {'text', 'good evening'}), 0)
  expect(fcall_ro('stamped_when', {'greeting'}), tostring(clock.now()))
end)

test('readers do not see the stamp', function()
  fcall('stamped_set', {'greeting'}, {'text', 'hello', 'language', 'en'})
  expect(call('HLEN', 'greeting'), 3)

  call('HELLO', 3)  -- replies have maps now
  expect(fcall_ro('stamped_get', {'greeting'}), {text = 'hello', language = 'en'})
end)

test('exactly one key is wanted', function()
  expect_error(function() fcall('stamped_set', {}, {'text', 'hello'}) end, 'exactly one key name')
  expect_error(function() fcall('stamped_get', {'one', 'two'}) end, 'exactly one key name')
end)

test('only readers run where nothing may be written', function()
  expect_error(function() fcall_ro('stamped_set', {'greeting'}, {'text', 'hello'}) end, 'write flag')
end)
