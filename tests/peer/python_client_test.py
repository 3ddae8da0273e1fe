#!/usr/bin/env python3
"""python3-redis, unmodified, with Tandem.

Usage: python_client_test.py PATH_TO_TANDEM_SERVER [unittest arguments]
"""

import sys
import unittest

import peers
import redis

TANDEM_SERVER = None

LIBRARY = """#!lua name=mylib
local function my_hset(keys, args)
  local time = server.call('TIME')[1]
  return server.call('HSET', keys[1], '_last_modified_', time, unpack(args))
end
local function my_hgetall(keys)
  server.setresp(3)
  local res = server.call('HGETALL', keys[1])
  res['map']['_last_modified_'] = nil
  return res
end
server.register_function('my_hset', my_hset)
server.register_function{function_name='my_hgetall', callback=my_hgetall, flags={'no-writes'}}
server.register_function('kinds', function(keys, args)
  return {1, 'text', {'nested', false}, server.status_reply('FINE')}
end)
server.register_function('refuse', function() return server.error_reply('MYCODE not today') end)
"""


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = peers.TcpServer(TANDEM_SERVER)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        assert cls.server.process.returncode == 0

    def setUp(self):
        self.client = redis.Redis(port=self.server.port, decode_responses=True)
        self.client.flushall()
        self.client.function_flush()

    def tearDown(self):
        self.client.close()


class Functions(Case):
    def test_load_call_and_list(self):
        self.assertEqual(self.client.function_load(LIBRARY), "mylib")
        with self.assertRaisesRegex(redis.ResponseError, "Library 'mylib' already exists"):
            self.client.function_load(LIBRARY)
        self.assertEqual(self.client.function_load(LIBRARY, replace=True), "mylib")
        self.assertEqual(self.client.fcall("my_hset", 1, "hash", "field", "value"), 2)
        self.assertEqual(self.client.fcall_ro("my_hgetall", 1, "hash"), ["field", "value"])
        self.assertEqual(self.client.fcall("kinds", 0), [1, "text", ["nested", None], "FINE"])
        with self.assertRaisesRegex(redis.ResponseError, "MYCODE not today"):
            self.client.fcall("refuse", 0)
        with self.assertRaisesRegex(redis.ResponseError, "Function not found"):
            self.client.fcall("absent", 0)
        listed = self.client.function_list(library="my*", withcode=True)
        self.assertEqual(len(listed), 1)
        self.assertIn(LIBRARY, listed[0])

    def test_stats_and_delete(self):
        self.client.function_load(LIBRARY)
        self.assertIn("running_script", self.client.function_stats())
        self.assertTrue(self.client.function_delete("mylib"))
        self.assertEqual(self.client.function_list(), [])
        with self.assertRaisesRegex(redis.ResponseError, "No scripts in execution right now"):
            self.client.function_kill()

    def test_dump_and_restore(self):
        raw = redis.Redis(port=self.server.port)
        raw.function_load(LIBRARY)
        payload = raw.function_dump()
        raw.function_flush()
        self.assertTrue(raw.function_restore(payload))
        with self.assertRaisesRegex(redis.ResponseError, "Library mylib already exists"):
            raw.function_restore(payload)
        self.assertTrue(raw.function_restore(payload, policy="REPLACE"))
        self.assertEqual(raw.fcall("my_hset", 1, "hash", "a", "b"), 2)

    def test_pipeline_of_calls(self):
        self.client.function_load(LIBRARY)
        with self.client.pipeline(transaction=False) as pipeline:
            for i in range(200):
                pipeline.fcall("my_hset", 1, "hash:%d" % i, "n", i)
            self.assertEqual(pipeline.execute(), [2] * 200)
        with self.client.pipeline(transaction=False) as pipeline:
            for i in range(200):
                pipeline.fcall_ro("my_hgetall", 1, "hash:%d" % i)
            self.assertEqual(pipeline.execute(), [["n", str(i)] for i in range(200)])

    def test_calls_in_a_transaction(self):
        self.client.function_load(LIBRARY)
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.fcall("my_hset", 1, "hash", "a", "1")
            pipeline.hget("hash", "a")
            pipeline.fcall("refuse", 0)
            done = pipeline.execute(raise_on_error=False)
        self.assertEqual(done[:2], [2, "1"])
        self.assertIsInstance(done[2], redis.ResponseError)


class Keyspace(Case):
    def test_strings_and_hashes(self):
        self.assertTrue(self.client.set("key", "value", ex=100))
        self.assertEqual(self.client.get("key"), "value")
        self.assertTrue(50 <= self.client.ttl("key") <= 100)
        self.assertIsNone(self.client.set("key", "other", nx=True))
        self.assertEqual(self.client.mget("key", "absent"), ["value", None])
        self.assertEqual(self.client.hset("hash", mapping={"a": 1, "b": 2}), 2)
        self.assertEqual(self.client.hgetall("hash"), {"a": "1", "b": "2"})
        self.assertEqual(self.client.hincrby("hash", "a", 4), 5)
        self.assertEqual(self.client.incrbyfloat("number", 0.5), 0.5)

    def test_scan_finds_every_key(self):
        keys = {"key:%d" % i for i in range(3000)}
        self.client.mset({key: "x" for key in keys})
        self.assertEqual(set(self.client.scan_iter(count=100)), keys)
        self.assertEqual(set(self.client.scan_iter(match="key:1*")),
                         {key for key in keys if key.startswith("key:1")})

    def test_optimistic_transaction(self):
        self.client.set("counter", 1)
        intruded = []

        def increment(pipeline):
            value = int(pipeline.get("counter"))
            if not intruded:
                intruded.append(self.client.incr("counter"))
            pipeline.multi()
            pipeline.set("counter", value + 10)

        self.client.transaction(increment, "counter")
        self.assertEqual(self.client.get("counter"), "12")
        with self.client.pipeline() as pipeline:
            pipeline.watch("counter")
            self.client.incr("counter")
            pipeline.multi()
            pipeline.incr("counter")
            with self.assertRaises(redis.WatchError):
                pipeline.execute()

    def test_a_large_pipeline(self):
        with self.client.pipeline(transaction=False) as pipeline:
            for i in range(5000):
                pipeline.set("k%d" % i, "v" * (i % 300))
                pipeline.strlen("k%d" % i)
            done = pipeline.execute()
        self.assertEqual(done[1::2], [i % 300 for i in range(5000)])

    def test_binary_values(self):
        raw = redis.Redis(port=self.server.port)
        everything = bytes(range(256)) * 500
        raw.set(b"\x00\r\n\xff", everything)
        self.assertEqual(raw.get(b"\x00\r\n\xff"), everything)
        self.assertTrue(raw.restore("copy", 0, raw.dump(b"\x00\r\n\xff")))
        self.assertEqual(raw.get("copy"), everything)


class Administration(Case):
    def test_info_clients_and_configuration(self):
        info = self.client.info()
        self.assertEqual(info["redis_version"], "7.2.4")
        self.assertEqual(info["tcp_port"], self.server.port)
        self.assertEqual(info["role"], "master")
        self.client.client_setname("the-test")
        self.assertEqual(self.client.client_getname(), "the-test")
        self.assertIn("the-test", [one["name"] for one in self.client.client_list()])
        self.assertTrue(self.client.config_set("timeout", 300))
        self.assertEqual(self.client.config_get("timeout"), {"timeout": "300"})
        self.client.config_set("timeout", 0)
        self.assertGreater(self.client.command_count(), 100)
        self.assertIn("get", self.client.command())
        self.assertEqual(self.client.command_getkeys("MSET", "a", "1", "b", "2"), ["a", "b"])
        self.assertEqual(len(self.client.time()), 2)

    def test_a_replica_and_the_client(self):
        replica_server = peers.TcpServer(TANDEM_SERVER, "--replicaof",
                                         "127.0.0.1 %d" % self.server.port)
        try:
            replica = redis.Redis(port=replica_server.port, decode_responses=True)
            peers.await_condition("the link", lambda: replica.info(
                "replication")["master_link_status"] == "up")
            self.client.function_load(LIBRARY)
            self.client.fcall("my_hset", 1, "hash", "field", "value")
            self.assertEqual(self.client.wait(1, peers.TIMEOUT * 1000), 1)
            self.assertEqual(replica.fcall_ro("my_hgetall", 1, "hash"), ["field", "value"])
            self.assertEqual(replica.role()[0], "slave")
            with self.assertRaises(redis.exceptions.ReadOnlyError):
                replica.set("key", "value")
        finally:
            replica_server.stop()


if __name__ == "__main__":
    TANDEM_SERVER = sys.argv.pop(1)
    unittest.main()
