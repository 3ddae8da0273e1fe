// node-redis, unmodified, with Tandem: what an application in Node.js does, a server that restarts, and a failover
// by Debian's redis-sentinel. (node-redis 4 knows RESP2 only, and of Sentinel only what sendCommand can ask.)
//
// Usage: NODE_PATH=/usr/share/nodejs nodejs node_client_test.js PATH_TO_TANDEM_SERVER
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { commandOptions, createClient, defineScript, WatchError } = require('redis');

const TANDEM = process.argv[2];
const PATIENCE_MS = 60000;

const LIBRARY = `#!lua name=counters
server.register_function('count', function(keys, args)
  return server.call('INCRBY', keys[1], args[1])
end)
server.register_function{function_name='counted', flags={'no-writes'}, description='reads a counter',
  callback=function(keys) return server.call('GET', keys[1]) end}
server.register_function('refuse', function() return server.error_reply('MYCODE not today') end)`;

/** The same library as node-redis wants to know it, to call its functions as methods. */
const COUNTERS = {
  count: { NUMBER_OF_KEYS: 1, transformArguments: (key, by) => [key, String(by)] },
  counted: { NUMBER_OF_KEYS: 1, IS_READ_ONLY: true, transformArguments: (key) => [key], transformReply: Number },
};

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

async function awaitCondition(what, condition) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const reached = await Promise.resolve().then(condition).catch(() => false);
    if (reached) return;
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const clients = [];

/** A client that says nothing of the errors that a server's end causes: they are what is tested. */
async function connectTo(port, options = {}) {
  const client = createClient({ ...options, socket: { host: '127.0.0.1', port, ...options.socket } });
  client.on('error', () => {});
  clients.push(client);
  await client.connect();
  return client;
}

/** A process on a port and in a directory of its own, which can be killed and started again there. */
class Process {
  static all = [];

  static async start(program, makeArguments) {
    const self = new Process();
    self.port = await freePort();
    self.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'node-client-'));
    self.log = path.join(self.directory, 'log');
    self.words = [program, ...makeArguments(self)];
    Process.all.push(self);
    await self.run();
    return self;
  }

  async run() {
    const log = fs.openSync(this.log, 'a');
    this.child = spawn(this.words[0], this.words.slice(1), { stdio: ['ignore', log, log] });
    fs.closeSync(log);
    this.end = once(this.child, 'exit');
    await awaitCondition(`a start of ${this.words[0]}`, async () => {
      const socket = net.connect(this.port, '127.0.0.1');
      try {
        await once(socket, 'connect');
        socket.write('PING\r\n');
        return /^(\+PONG|-NOAUTH)/.test((await once(socket, 'data'))[0]);
      } finally {
        socket.destroy();
      }
    });
  }

  async stop(signal) {
    this.child.kill(signal);
    return (await this.end)[0];
  }

  static endAll() {
    for (const one of Process.all) {
      one.child.kill('SIGKILL');
      fs.rmSync(one.directory, { recursive: true, force: true });
    }
  }
}

function startTandem(...options) {
  return Process.start(TANDEM, (self) => ['--port', self.port, '--bind', '127.0.0.1', '--dir', self.directory,
    '--save', '', '--repl-diskless-sync-delay', '0', ...options].map(String));
}

let server;
let client;

before(async () => {
  server = await startTandem('--requirepass', 'secret');
  client = await connectTo(server.port, {
    name: 'the-application', password: 'secret', functions: { counters: COUNTERS },
    scripts: { double: defineScript({ SCRIPT: 'return ARGV[1] * 2', NUMBER_OF_KEYS: 0,
                                      transformArguments: (number) => [String(number)] }) } });
});

after(async () => {
  await client.quit();
  for (const one of clients.filter((it) => it.isOpen)) await one.disconnect();
  const status = await server.stop('SIGTERM');
  Process.endAll();
  assert.equal(status, 0);
});

test('a connection introduces itself', async () => {
  assert.equal(await client.clientGetName(), 'the-application');
  const { proto, mode, role } = await client.hello();
  assert.deepEqual({ proto, mode, role }, { proto: 2, mode: 'standalone', role: 'master' });
  const { name, laddr, db } = await client.clientInfo();
  assert.deepEqual({ name, laddr, db }, { name: 'the-application', laddr: `127.0.0.1:${server.port}`, db: 0 });
  const impostor = connectTo(server.port, { password: 'wrong', socket: { reconnectStrategy: () => new Error('no') } });
  await assert.rejects(impostor, ({ socketError }) => socketError.message ===
    'WRONGPASS invalid username-password pair or user is disabled.');
});

test('what is sent in one turn is answered in order', async () => {
  const total = 5000;
  const replies = await Promise.all(Array.from({ length: total }, (_, i) =>
    i % 2 ? client.incr('number') : client.get('number')));
  replies.forEach((reply, i) => assert.equal(Number(reply), (i + 1) >> 1));

  const fields = { name: 'Ada', town: 'London' };
  await client.hSet('person', fields);
  assert.deepEqual({ ...await client.hGetAll('person') }, fields);
  const bytes = Buffer.from([0, 13, 10, 255]);
  await client.set('bytes', bytes);
  assert.deepEqual(await client.get(commandOptions({ returnBuffers: true }), 'bytes'), bytes);
  await client.zAdd('board', [{ score: 1.5, value: 'low' }, { score: 2.5, value: 'high' }]);
  assert.deepEqual(await client.zRangeWithScores('board', 0, -1),
    [{ value: 'low', score: 1.5 }, { value: 'high', score: 2.5 }]);
  const id = await client.xAdd('log', '*', { event: 'start' });
  assert.deepEqual((await client.xRange('log', '-', '+')).map((entry) => entry.id), [id]);
});

test('a transaction takes place whole, or not at all when a watched key has changed', async () => {
  assert.deepEqual(await client.multi().set('account', '10').incrBy('account', 5).get('account').exec(),
    ['OK', 15, '15']);
  const transfer = client.executeIsolated(async (isolated) => {
    await isolated.watch('account');
    await client.set('account', '1');
    return isolated.multi().set('account', '100').exec();
  });
  await assert.rejects(transfer, WatchError);
  assert.equal(await client.get('account'), '1');
});

test('a client waits for an element while others are served', async () => {
  const waiting = client.brPop(commandOptions({ isolated: true }), 'queue', 0);
  await awaitCondition('the client that waits', async () =>
    (await client.info('clients')).includes('blocked_clients:1'));
  await client.lPush('queue', 'task');
  assert.deepEqual({ ...await waiting }, { key: 'queue', element: 'task' });
  assert.equal(await client.blPop(commandOptions({ isolated: true }), 'queue', 0.01), null);
});

test('messages reach those who subscribed, by channel and by pattern', async () => {
  const subscriber = client.duplicate();
  await subscriber.connect();
  const messages = [];
  const listener = (message, channel) => messages.push([channel, message]);
  await subscriber.subscribe('news', listener);
  await subscriber.pSubscribe('n?ws', listener);
  assert.equal(await client.publish('news', 'first'), 2);
  await awaitCondition('both messages', () => messages.length === 2);
  assert.deepEqual(messages, [['news', 'first'], ['news', 'first']]);
  await subscriber.unsubscribe('news');
  assert.equal(await client.publish('news', 'second'), 1);
  await subscriber.pUnsubscribe();
  await subscriber.ping();  // an ordinary client again
  await subscriber.quit();
});

test('scripts and functions are methods', async () => {
  assert.equal(await client.double(21), 42);  // by EVAL, as the server does not know it
  assert.equal(await client.double(4), 8);  // by its hash
  assert.equal(await client.functionLoad(LIBRARY), 'counters');
  await assert.rejects(client.functionLoad(LIBRARY), { message: "ERR Library 'counters' already exists" });
  assert.equal(await client.functionLoad(LIBRARY, { REPLACE: true }), 'counters');
  assert.equal(await client.counters.count('visits', 3), 3);
  assert.equal(await client.counters.counted('visits'), 3);  // by FCALL_RO
  assert.equal(await client.fCall('count', { keys: ['visits'], arguments: ['4'] }), 7);
  assert.equal(await client.fCallRo('counted', { keys: ['visits'], arguments: [] }), '7');
  assert.deepEqual(await client.multi().counters.count('visits', 1).counters.counted('visits').exec(), [8, 8]);
  await assert.rejects(client.fCall('refuse', { keys: [], arguments: [] }), { message: 'MYCODE not today' });

  const [library] = await client.functionListWithCode();
  assert.equal(library.libraryCode, LIBRARY);
  const counted = library.functions.find(({ name }) => name === 'counted');
  assert.deepEqual(counted, { name: 'counted', description: 'reads a counter', flags: ['no-writes'] });
  const { runningScript, engines } = await client.functionStats();
  assert.deepEqual([runningScript, { ...engines.LUA }], [null, { librariesCount: 1, functionsCount: 3 }]);
  const dump = await client.functionDump(commandOptions({ returnBuffers: true }));
  await client.functionFlush();
  assert.deepEqual(await client.functionList(), []);
  await client.functionRestore(dump);
  assert.equal((await client.functionList()).length, 1);
});

test('iterators see every element, though the client takes cursors for numbers', async () => {
  const names = Array.from({ length: 3000 }, (_, i) => `name:${i}`);
  await client.mSet(names.map((name) => [name, '1']));
  await client.hSet('scanned:hash', names.flatMap((name) => [name, '1']));
  await client.sAdd('scanned:set', names);
  await client.zAdd('scanned:board', names.map((value, score) => ({ value, score })));
  const seen = async (iterator, nameOf) => {
    const found = new Set();
    for await (const one of iterator) found.add(nameOf(one));
    assert.equal(found.size, names.length);
  };
  await seen(client.scanIterator({ MATCH: 'name:*', TYPE: 'string', COUNT: 7 }), (key) => key);
  await seen(client.hScanIterator('scanned:hash'), ({ field }) => field);
  await seen(client.sScanIterator('scanned:set'), (member) => member);
  await seen(client.zScanIterator('scanned:board'), ({ value }) => value);
});

test('a client comes back by itself to a server that was restarted', async () => {
  const restarted = await startTandem('--appendonly', 'yes', '--appendfsync', 'always');
  const application = await connectTo(restarted.port, { functions: { counters: COUNTERS }, database: 3 });
  const messages = [];
  const subscriber = await connectTo(restarted.port);
  await subscriber.subscribe('news', (message) => messages.push(message));
  await application.functionLoad(LIBRARY);
  assert.equal(await application.counters.count('visits', 1), 1);
  const noticed = new Promise((resolve) => application.once('reconnecting', resolve));
  await restarted.stop('SIGKILL');
  await noticed;
  const queued = application.counters.count('visits', 1);  // waits for the connection
  await restarted.run();
  assert.equal(await queued, 2);
  // This client connects twice, and subscribes twice, when its first new connection still reached the dying server.
  await awaitCondition('the subscription', async () => await application.publish('news', 'back') >= 1);
  await awaitCondition('the message', () => messages.length >= 1);
});

/** An application's connection to the primary that the Sentinel names: where it is, and when it moves. */
class Follower {
  async start(sentinelPort) {
    this.sentinel = await connectTo(sentinelPort);
    this.news = await connectTo(sentinelPort);
    this.switches = [];
    await this.news.subscribe('+switch-master', (message) => {
      const [, , , host, port] = message.split(' ');
      this.switches.push(Number(port));
      this.moved = this.move(host, Number(port));
    });
    const [host, port] = await this.sentinel.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'the-pair']);
    await this.move(host, Number(port));
  }

  async move(host, port) {
    if (this.primary) await this.primary.disconnect();
    this.primary = await connectTo(port, { functions: { counters: COUNTERS } });
  }

  /** The total, once a replica has it too; null when that is not known. */
  async count(by) {
    const total = await this.primary.counters.count('visits', by);
    return await this.primary.wait(1, 500) === 1 ? total : null;
  }
}

test('an application follows a failover', async () => {
  const primary = await startTandem();
  const replicas = [];
  for (let i = 0; i < 2; i++) replicas.push(await startTandem('--replicaof', '127.0.0.1', primary.port));
  const observer = await connectTo(primary.port);
  await observer.functionLoad(LIBRARY);
  await awaitCondition('both replicas', async () => await observer.wait(2, 500) === 2);
  const sentinel = await Process.start('redis-sentinel', (self) => {
    const file = path.join(self.directory, 'sentinel.conf');
    fs.writeFileSync(file, [`port ${self.port}`, 'bind 127.0.0.1', `dir ${self.directory}`,
      `sentinel monitor the-pair 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds the-pair 1500', 'sentinel failover-timeout the-pair 10000', ''].join('\n'));
    return [file];
  });
  const application = new Follower();
  await application.start(sentinel.port);
  await awaitCondition('the replicas being found', async () =>
    (await application.sentinel.sendCommand(['SENTINEL', 'REPLICAS', 'the-pair'])).length === 2);
  assert.equal(await application.count(5), 5);

  await primary.stop('SIGKILL');
  await awaitCondition('the news of the switch', () => application.switches.length > 0);
  await application.moved;
  const [promoted] = application.switches;
  const other = replicas.find(({ port }) => port !== promoted);
  assert(replicas.some(({ port }) => port === promoted));
  assert.equal(await application.primary.counters.count('visits', 2), 7);

  let total = null;
  await awaitCondition('an acknowledged write', async () => (total = await application.count(1)) !== null);
  const reader = await connectTo(other.port, { functions: { counters: COUNTERS } });
  assert.equal(await reader.counters.counted('visits'), total);
  await assert.rejects(reader.counters.count('visits', 1), { message: /^READONLY / });
});
