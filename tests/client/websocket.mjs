// WebSocket clients (npm: ws). The first argument is what to do, the others are
// options, all as --name=value; exits 1 and tells why if something was wrong.
//
//   echo       text, binary and messages of 1 MiB come back as they were
//   refused    the handshake fails, with the status --status
//   hello      prints the backend's first message
//   idle       opens, is silent, tells the code when it is closed: not before
//              --at-least milliseconds
//   stay       is open for --for milliseconds while --ping-every or the backend
//              pings, or --say-every sends; then a message still comes back
//   many       --count sockets open at once, each echoes its own messages
//   hold       echoes every 50 ms until it is closed, see there
//   slow       reads nothing of the backend's --bytes at first
//   stuff      sends --bytes that the backend does not take, and tells whether
//              the socket is open after --for milliseconds, or was closed
//   plain      --count plain requests, see there
//
//   url        ws: or wss:
//   ca         certificate to trust; --servername is the name to expect in it
//   insecure   1: do not check the certificate
//   from       address to connect from
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { WebSocket } from 'ws';

const DEADLINE_MS = 30000; // for what should come at once, on a busy machine
const names = ['url', 'ca', 'servername', 'insecure', 'status', 'at-least', 'for', 'ping-every',
    'say-every', 'count', 'bytes', 'from'];
const { values, positionals: [command] } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});

function create(url = values.url) {
    return new WebSocket(url, {
        ca: values.ca && fs.readFileSync(values.ca),
        servername: values.servername,
        localAddress: values.from,
        rejectUnauthorized: !values.insecure,
        perMessageDeflate: false,
        maxPayload: 16 << 20,
    });
}

async function within(promise, what) {
    const timer = new AbortController();
    const late = pause(DEADLINE_MS, null, { signal: timer.signal }).then(
        () => { throw new Error(`timed out: ${what}`); }, () => {});

    try {
        return await Promise.race([promise, late]);
    } finally {
        timer.abort();
    }
}

async function open(url) {
    const socket = create(url);

    await within(once(socket, 'open'), 'open');
    return socket;
}

async function receive(socket) {
    const [data, isBinary] = await within(once(socket, 'message'), 'message');

    return { data, isBinary };
}

async function exchange(socket, message) {
    const answer = receive(socket);

    socket.send(message);
    const { data, isBinary } = await answer;
    assert.equal(isBinary, typeof message !== 'string');
    // Not assert.equal on these: it would print megabytes.
    assert.ok(Buffer.from(message).equals(data), `other bytes, ${data.length} of them, came back`);
}

async function close(socket) {
    const closed = once(socket, 'close');

    socket.close(1000);
    const [code] = await within(closed, 'close');
    assert.equal(code, 1000);
}

const commands = {
    async echo() {
        const socket = await open();

        await exchange(socket, 'hello');
        await exchange(socket, 'Grüße, 世界, 🙂');
        await exchange(socket, '');
        await exchange(socket, Buffer.from([...Array(256).keys()]));
        await exchange(socket, crypto.randomBytes(1 << 20));
        await exchange(socket, crypto.randomBytes(1 << 19).toString('hex'));
        await close(socket);
        console.log('echoed');
    },

    async refused() {
        const socket = create();
        const [request, response] = await within(once(socket, 'unexpected-response'), 'refusal');

        request.destroy();
        assert.equal(response.statusCode, Number(values.status));
        console.log(`refused with ${response.statusCode}`);
    },

    async hello() {
        const socket = create();
        const { data } = await receive(socket);

        console.log(data.toString());
        await close(socket);
    },

    async idle() {
        const start = Date.now();
        const socket = await open();
        const [code] = await within(once(socket, 'close'), 'close');
        const took = Date.now() - start;

        assert.ok(took >= Number(values['at-least'] ?? 0), `closed after ${took} ms already`);
        console.log(`closed with ${code}`);
    },

    async stay() {
        const socket = await open();
        let closed = null;
        let pings = 0;
        let pongs = 0;

        socket.on('close', (code) => { closed = code; });
        socket.on('ping', () => { pings++; });
        socket.on('pong', () => { pongs++; });
        const act = values['ping-every'] ? () => socket.ping() : () => socket.send('x');
        const every = Number(values['ping-every'] ?? values['say-every'] ?? 0);
        const timer = every && setInterval(act, every);
        await pause(Number(values.for));
        clearInterval(timer);
        assert.equal(closed, null, `closed with ${closed}`);
        if (!values['say-every']) {
            await exchange(socket, 'still here');
        }
        await close(socket);
        console.log(`open, ${pings ? 'pinged' : 'not pinged'}, ${pongs ? 'ponged' : 'not ponged'}`);
    },

    // Nobody's messages are another's, and none comes before all are open.
    async many() {
        const count = Number(values.count);
        const all = await Promise.all(Array.from({ length: count }, () => open()));

        for (let round = 0; round < 5; round++) {
            await Promise.all(all.map(async (socket, index) => {
                assert.equal(socket.readyState, socket.OPEN);
                await exchange(socket, `${index}/${round}/${'x'.repeat(index)}`);
            }));
        }
        assert.ok(all.every((socket) => socket.readyState === socket.OPEN));
        await Promise.all(all.map(close));
        console.log(`${count} open at once, all echoed`);
    },

    // A line "open", then one for each echo, then "closed CODE MS-SINCE-1970".
    async hold() {
        const socket = await open();
        let number = 0;
        const say = () => {
            if (socket.readyState === socket.OPEN) {
                socket.send(`${++number}`);
            }
        };

        console.log('open');
        socket.on('message', (data) => {
            assert.equal(data.toString(), `${number}`);
            console.log(`echo ${data}`);
            setTimeout(say, 50);
        });
        say();
        const [code] = await once(socket, 'close');
        console.log(`closed ${code} ${Date.now()}`);
    },

    // While the reader is paused the sender comes to a halt, far from the end;
    // then all of it arrives, in order.
    async slow() {
        const bytes = Number(values.bytes);
        const socket = await open();
        const flood = `${values.url.replace(/^ws/, 'http').replace(/\?.*/, '')}/flood`;
        const left = async () => (await (await fetch(flood)).json()).left;
        let received = 0;
        let before = -1;
        let now = 0;

        socket.pause();
        const end = Date.now() + DEADLINE_MS;
        for (;;) {
            now = await left();
            if (now > 0 && now === before) {
                break;
            }
            assert.ok(Date.now() < end, `the sender does not stop: ${now} bytes`);
            before = now;
            await pause(1000);
        }
        assert.ok(now < bytes / 2, `${now} of ${bytes} bytes left the backend unread`);
        console.log(`halted after ${now} of ${bytes}`);
        const all = new Promise((resolve, reject) => {
            socket.on('message', (data) => {
                received += data.length;
                if (data[0] !== (received / data.length) % 256) {
                    reject(new Error(`message ${received / data.length} is another`));
                }
                if (received >= bytes) {
                    resolve();
                }
            });
        });
        socket.resume();
        await within(all, `all bytes, ${received} came`);
        await close(socket);
        console.log(`received ${received}`);
    },

    async stuff() {
        const socket = await open();
        const closed = once(socket, 'close');
        const message = Buffer.alloc(65536);

        for (let sent = 0; sent < Number(values.bytes); sent += message.length) {
            socket.send(message, () => {});
        }
        const [code] = await Promise.race([closed, pause(Number(values.for), ['open'])]);
        assert.ok(code !== 'open' || socket.bufferedAmount > 0, 'the backend has taken everything');
        console.log(code === 'open' ? 'open' : `closed with ${code}`);
    },

    // The backend's JSON of each request, one on a line: requests are sent one
    // after another, on connections of their own, so that what is kept is
    // nginx's connection to the backend.
    async plain() {
        const headers = { Connection: 'close' };

        for (let i = 0; i < Number(values.count); i++) {
            const request = http.get(values.url, { agent: false, headers });
            const [response] = await within(once(request, 'response'), 'response');
            let body = '';
            for await (const chunk of response) {
                body += chunk;
            }
            console.log(body);
        }
    },
};

try {
    await commands[command]();
} catch (error) {
    console.log(`FAULT: ${error.message}`);
    process.exit(1);
}
process.exit(0);
