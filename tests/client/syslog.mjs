// nginx's log lines by UDP, sent faster than nginx would, or not by nginx at
// all; for 41-peers.bats.
//
//   syslog.mjs burst   port=UDP fastcgi=ADDRESS count=N [group=N]
//   syslog.mjs hostile port=UDP fastcgi=ADDRESS pid=DAEMON
import dgram from 'node:dgram';

import { FastcgiClient, eventParams, request } from './fastcgi.mjs';
import { expect, main, pause, poll } from './peer.mjs';
import { randomBytes } from './random.mjs';

const BYTES = 10000;
const HEAD = '<190>Jan  5 12:34:56 upload_progress: ';

// The fields of log_format upload_progress in http.conf, in its order.
function endLine(id, requestId, further = {}) {
    const fields = {
        zone: 'uploads', id, arg: '-', request_id: requestId, pid: 1, connection: 7,
        connection_requests: 1, status: 200, completion: 'OK', content_length: BYTES,
        request_length: BYTES + 200, header_length: 200, transfer_encoding: '-',
        protocol: 'HTTP/1.1', https: '', msec: (Date.now() / 1000).toFixed(3),
        request_time: '0.010', ...further,
    };

    return HEAD + Object.entries(fields).map(([name, value]) => `${name}="${value}"`).join(' ');
}

function requestIdOf(number) {
    return number.toString(16).padStart(32, 'a');
}

class Sender {
    constructor(port) {
        this.port = Number(port);
        this.socket = dgram.createSocket('udp4');
    }

    // Sends all at once, or in groups with a pause behind each. The daemon's
    // socket is closed while it is not there: that is no error of ours.
    async send(datagrams, group = Infinity) {
        for (let at = 0; at < datagrams.length; at += group) {
            await Promise.all(datagrams.slice(at, at + group).map((datagram) =>
                new Promise((next, fail) => {
                    this.socket.send(datagram, this.port, '127.0.0.1',
                        (error) => (error ? fail(error) : next()));
                })));
            await pause(5);
        }
    }

    close() {
        this.socket.close();
    }
}

// Many ends in one go: all are known afterwards, each with its size.
async function burst({ port, fastcgi, count, group }) {
    const sender = new Sender(port);
    const client = await FastcgiClient.open(fastcgi);
    const ids = Array.from({ length: Number(count) }, (_, i) => `burst-${i}`);
    let lost = ids;

    await sender.send(ids.map((id, i) => endLine(id, requestIdOf(i))), Number(group) || undefined);
    await poll('all ends', async () => {
        const still = [];

        for (const id of lost) {
            const { state, received, size } = await client.probe(id);

            if (state !== 'done' || received !== BYTES || size !== BYTES) {
                still.push(id);
            }
        }
        lost = still;
        return lost.length === 0;
    }).catch(() => {});
    sender.close();
    console.log(`${ids.length - lost.length} of ${ids.length} ends arrived`);
    expect('lost ends', lost.slice(0, 10).join(), '');
}

// What a line turns into that was cut off after so many bytes: all lengths up
// to the one where the status has been told.
function truncated(line) {
    const told = line.indexOf('status="200"') + 'status="200"'.length;

    return Array.from({ length: told }, (_, i) => line.slice(0, i));
}

function errorLine(rest) {
    return `<188>Jan  5 12:34:56 upload_progress: 2026/01/05 12:34:56 [warn] ${rest}`;
}

const buffered = 'a client request body is buffered to a temporary file';

// Error lines that are cut, absurd, or not about an upload.
function hostileErrors(id, pid) {
    const reading = 'client: 127.0.0.1, server: , request: ' +
        `"POST /upload?X-Progress-ID=${id} HTTP/1.1", host: "a"`;
    const whole = errorLine(`${pid}#${pid}: *7 ${buffered} /nowhere/0000000001, ${reading}`);

    return [
        ...Array.from({ length: whole.length }, (_, i) => whole.slice(0, i)),
        whole,
        errorLine(`99999999999999999999#1: *99999999999999999999 ${buffered} /x, ${reading}`),
        errorLine(`-1#-1: *-1 ${buffered} /x, ${reading}`),
        errorLine(`0#0: *0 ${buffered} /x, ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} ../../../etc/passwd, ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} /etc/passwd, ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} , ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} ${'/long'.repeat(400)}, ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} %s%n%x while reading %s, ${reading}`),
        errorLine(`${pid}#1: *7 ${buffered} /x, ${'client: a, '.repeat(400)}`),
        errorLine(`${pid}#1: *7 upstream timed out, ${reading}`),
        errorLine(`${pid}#1: signal process started`),
    ];
}

// Access lines with a field, or the quotes around it, gone wrong.
function hostileEnds(id) {
    const attempt = requestIdOf(1);
    const wrong = [
        { zone: 'unknown' }, { zone: 'z'.repeat(300) }, { id: 'i'.repeat(256) },
        { id: '' }, { id: '\\x00' }, { id: '\\xFF\\xFE' }, { id: '%s%n' }, { id: '\x01' },
        { request_id: '' }, { request_id: 'short' }, { request_id: 'g'.repeat(32) },
        { request_id: attempt.toUpperCase() }, { request_id: `${attempt}0` },
        { status: '99999999999999999999' }, { status: '-200' }, { status: '2e2' },
        { pid: 'x' }, { connection: '0x7' }, { content_length: '-1' },
        { content_length: '9223372036854775808' }, { request_length: '1 2' },
        { msec: '1e9' }, { msec: '99999999999999999.999' }, { request_time: '-1' },
        { protocol: 'HTTP/11.1' }, { protocol: 'GOPHER' },
    ];
    const line = endLine(id, attempt);

    return [
        ...wrong.map((further) => endLine(id, attempt, further)),
        line.replace('<190>', ''), line.replace('<190>', '<190'), line.replace(': zone', ' zone'),
        line.replace(/"/g, "'"), line.replace(/"/g, ''), line.replace('zone="', 'zone='),
        line.replace(HEAD, ''), line.slice(HEAD.length + 3), `${HEAD}="x" =""`,
        `${HEAD}${Array.from({ length: 300 }, (_, i) => `n${i}="v"`).join(' ')} ` +
            line.slice(HEAD.length),
    ];
}

function noise() {
    return [
        '', '<', '<190>', '<190>Jan', HEAD, `${HEAD}\n`, `${HEAD}"`, `${HEAD}=`, `${HEAD}="`,
        'GET / HTTP/1.1\r\n\r\n', '\x00', '\n'.repeat(1000), '%n'.repeat(1000),
        '9'.repeat(9000), Buffer.alloc(65507, '<190>'), Buffer.alloc(65507, `${HEAD}a="b" `),
        Buffer.alloc(8192, 'x'), Buffer.alloc(8193, 'x'),
        ...Array.from({ length: 200 }, (_, i) => randomBytes(1 + i * 7, i)),
        ...Array.from({ length: 50 }, (_, i) => Buffer.concat(
            [Buffer.from(HEAD), randomBytes(500, i)])),
    ];
}

async function facts(client, id) {
    const { state, phase, received, size, gauge, status } = await client.probe(id);

    return JSON.stringify({ state, phase, received, size, gauge, status });
}

// Sends a line until it has done its work: by then all before it are parsed.
async function sendUntilDone(sender, client, id, requestId) {
    await poll(`the end of ${id}`, async () => {
        await sender.send([endLine(id, requestId)]);
        return (await client.probe(id)).state === 'done';
    });
}

// Sends one batch, then looks whether an upload that runs and one that is done
// are what they were; gives what is wrong.
async function disturb(sender, client, name, batch) {
    const [running, done] = [`running-${name}`, `done-${name}`];
    const start = eventParams('start', running, requestIdOf(1),
        { UPLOAD_PROGRESS_CONTENT_LENGTH: String(BYTES) });
    const before = {};
    const wrong = [];

    expect('status', (await client.ask(request(start))).status, 204);
    await sendUntilDone(sender, client, done, requestIdOf(2));
    before[running] = await facts(client, running);
    before[done] = await facts(client, done);
    const datagrams = batch(running);
    for (let i = 0; i < datagrams.length; i += 50) {
        await sender.send(datagrams.slice(i, i + 50));
        await sendUntilDone(sender, client, `${name}-${i}`, requestIdOf(1000 + i));
    }
    for (const id of [running, done]) {
        const after = await facts(client, id);

        if (after !== before[id]) {
            wrong.push(`${name}: ${id} was ${before[id]}, is ${after}`);
        }
    }
    await sendUntilDone(sender, client, running, requestIdOf(1));
    console.log(`${datagrams.length} ${name} datagrams`);
    return wrong;
}

// Whatever comes, the daemon goes on taking lines in.
async function hostile({ port, fastcgi, pid }) {
    const sender = new Sender(port);
    const client = await FastcgiClient.open(fastcgi);
    const batches = {
        'truncated': (id) => truncated(endLine(id, requestIdOf(1))),
        'error': (id) => hostileErrors(id, pid),
        'end': hostileEnds,
        'noise': noise,
    };
    const wrong = [];

    for (const [name, batch] of Object.entries(batches)) {
        wrong.push(...await disturb(sender, client, name, batch));
    }
    expect('disturbance', wrong.join('\n'), '');
    sender.close();
}

await main({ burst, hostile });
