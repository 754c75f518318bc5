// Whether the harness of pieces-run.mjs can be believed: its readers at every way that
// bytes may come, its sets against plain arrays, and its watch beside servers that
// tell the truth, and others that do not.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';

import { truth } from './pieces-honest.mjs';
import { MessageReader, MultipartReader } from './pieces-http.mjs';
import { Oracle } from './pieces-oracle.mjs';
import { Ranges } from './pieces-ranges.mjs';
import { Relay } from './pieces-relay.mjs';
import { Watch } from './pieces-watch.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

function testRanges() {
    let seed = 1;
    const random = (below) => {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        return Math.floor(seed / 65536) % below;
    };

    for (let round = 0; round < 300; round++) {
        const ranges = new Ranges();
        const plain = new Array(40).fill(false);

        for (let i = 0; i < 8; i++) {
            const begin = random(40);
            const end = Math.min(40, begin + random(9));

            ranges.add(begin, end);
            plain.fill(true, begin, Math.max(begin, end));
            assert.equal(ranges.size, plain.filter(Boolean).length);
            const missing = new Array(40).fill(false);
            ranges.missing(40).forEach(([from, to]) => missing.fill(true, from, to));
            assert.deepEqual(missing, plain.map((set) => !set));
            const [a, b] = [random(40), random(41)];
            assert.equal(ranges.covers(a, b), a >= b || plain.slice(a, b).every(Boolean));
            assert.equal(ranges.touches(a, b), a < b && plain.slice(a, b).some(Boolean));
        }
        assert.ok(ranges.list.every(([begin], i) => i === 0 || ranges.list[i - 1][1] < begin));
    }
}

// Feeds text in two parts, cut at each place, then byte by byte.
function everyWay(text, make, expected) {
    const bytes = Buffer.from(text, 'latin1');

    for (let at = 0; at <= bytes.length; at++) {
        const { reader, told } = make();
        reader.feed(bytes.subarray(0, at));
        reader.feed(bytes.subarray(at));
        assert.deepEqual(told(), expected, `cut at ${at}`);
    }
    const { reader, told } = make();
    bytes.forEach((byte) => reader.feed(Buffer.from([byte])));
    assert.deepEqual(told(), expected, 'byte by byte');
}

function testMessages() {
    const make = () => {
        const list = [];
        const reader = new MessageReader({
            head: (start, headers) => {
                list.push([start, headers.x ?? null, '']);
                return /^HTTP\/1.1 204/.test(start) ? 'none' : undefined;
            },
            body: (bytes) => { list.at(-1)[2] += bytes.toString('latin1'); },
            end: () => list.at(-1).push('end'),
        });
        return { reader, told: () => list };
    };

    everyWay('POST /a HTTP/1.1\r\nContent-Length: 5\r\nX: 1\r\nx:2\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n' +
        'PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n' +
        'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nHEAD /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n', make, [
        ['POST /a HTTP/1.1', '1, 2', 'hello', 'end'], ['GET /b HTTP/1.1', null, '', 'end'],
        ['PUT /c HTTP/1.1', null, 'abc0123456789', 'end'], ['HTTP/1.1 204 No Content', null, '', 'end'],
        ['HEAD /d HTTP/1.1', null, '', 'end']]);
}

function testMultipart() {
    const data = 'a\r\n--B\r\r\n--\r\n-\r\n--XX--\r\n';
    const make = () => {
        const list = [];
        const reader = new MultipartReader('multipart/form-data; boundary="XXY"', {
            field: (name, value) => list.push([name, value]),
            file: (name, filename) => list.push([name, filename, '']),
            data: (bytes) => { list.at(-1)[2] += bytes.toString('latin1'); },
        });
        return { reader, told: () => list };
    };

    everyWay('--XXY\r\nContent-Disposition: form-data; name="one"\r\n\r\n1\r\n--XXY\r\n' +
        `Content-Disposition: form-data; name="f"; filename="n"\r\nContent-Type: a/b\r\n\r\n${data}\r\n--XXY\r\n` +
        'Content-Disposition: form-data; name="two"\r\n\r\n\r\n--XXY--\r\n', make,
    [['one', '1'], ['f', 'n', data], ['two', '']]);
}

const CHUNK = 96 << 10;
const TOTAL = 4 * CHUNK + 77;

// A server that takes pieces, fails the second one once, and says what answer() does.
function serve(answer, state) {
    return http.createServer((req, res) => {
        if (req.url.startsWith('/progress/detail')) {
            res.end(JSON.stringify(answer()));
            return;
        }
        let count = 0;

        req.on('data', (part) => {
            count += part.length;
            state.most = Math.max(state.most, count - state.record().forwarded);
        });
        req.on('error', () => {});
        req.on('end', () => {
            state.pieces++;
            state.same &&= count === state.record().forwarded;
            res.writeHead(state.pieces === 2 ? 500 : 200).end();
        });
    });
}

function put(port, begin, piece) {
    return new Promise((done) => {
        const request = http.request({ port, method: 'PUT', path: '/upload', agent: false,
            headers: { 'Content-Range': `bytes ${begin}-${begin + piece.length - 1}/${TOTAL}`,
                'Content-Length': piece.length } }, (response) => {
            response.resume();
            response.on('end', () => done(response.statusCode));
        });

        request.on('error', () => done(0));
        request.end(piece);
    });
}

async function sendFile(port, file, relay) {
    for (let begin = 0, sent = 0; begin < TOTAL; sent++) {
        const status = await put(port, begin, file.subarray(begin, begin + CHUNK));

        begin += status === 200 ? CHUNK : 0;
        if (sent === 2) {
            relay.hold(150);
        }
    }
}

// Servers that are not right, and what the watch is to say of them.
const shift = (by) => ({ pieces, ...answer }) => ({ ...answer, pieces: { ...pieces,
    missing: pieces.missing.map(([begin, end], i) => (i === 0 ? [begin + by, end] : [begin, end])) } });
const until = (share, change) => (answer) => (answer.received < share * TOTAL ? answer : change(answer));
const uploading = (change) => (answer) => (answer.state === 'uploading' ? change(answer) : answer);
const told = (change) => (answer) => ({ ...answer,
    ...(answer.pieces && { pieces: { ...answer.pieces, ...change } }) });
const WAITING = { state: 'uploading', phase: 'waiting' };
let times = 0;

const LIARS = {
    ahead: uploading((answer) => ({ ...answer, received: answer.received + 1 })),
    behind: (answer) => ({ ...answer, received: answer.received - 1 }),
    early: until(0.6, (answer) => ({ ...answer, state: 'done', phase: 'done' })),
    'early, with all bytes': until(0.6, (answer) => ({ ...answer, state: 'done', phase: 'done', received: TOTAL })),
    falls: (answer) => ({ ...answer, received: answer.received - (times++ % 5 === 0 ? CHUNK : 0) }),
    size: (answer) => ({ ...answer, size: answer.size === null ? null : TOTAL + 1 }),
    'size, null for good': (answer) => ({ ...answer, size: null }),
    state: until(0.3, uploading((answer) => ({ ...answer, state: 'error' }))),
    phase: until(0.3, uploading((answer) => ({ ...answer, phase: 'processing' }))),
    'phase, another word': uploading((answer) => ({ ...answer, phase: 'idle' })),
    forgotten: until(0.6, uploading((answer) => ({ ...answer, state: 'starting', received: 0 }))),
    missing: uploading(shift(1)),
    'missing, too much': uploading(({ pieces, ...answer }) => ({ ...answer, pieces: { ...pieces,
        missing: [[Math.max(0, pieces.missing[0][0] - 1), TOTAL]] } })),
    'missing, overlapping': uploading(({ pieces, ...answer }) => ({ ...answer, pieces: { ...pieces,
        missing: [...pieces.missing, [TOTAL - 2, TOTAL - 1]] } })),
    'missing, last byte': uploading(({ pieces, ...answer }) => ({ ...answer, pieces: { ...pieces,
        missing: pieces.missing.map(([begin, end]) => [begin, end - 1]) } })),
    pieces: told({ received: 99 }),
    'pieces, none': ({ pieces, ...answer }) => answer,
    'pieces, too few': told({ received: 0 }),
    resumed: told({ resumed_from: 5 }),
    'resumed, never': told({ resumed_from: null }),
    undone: (answer) => (answer.state === 'done' && times++ % 2 === 1 ? { ...answer, ...WAITING } : answer),
    end: (answer) => (answer.state === 'done' ? { ...answer, ...WAITING } : answer),
};

async function watchOne(lie, { low = false, file = randomBytes(TOTAL), oracleFile = file } = {}) {
    const state = { pieces: 0, same: true, most: -Infinity, record: () => relay.records.at(-1) };
    times = 0;
    let relay = null;
    let oracle = null;
    const server = serve(() => lie(truth(oracle.upload(), low)), state);

    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    relay = await Relay.listen({ rate: 1 << 20, target: { host: '127.0.0.1', port: server.address().port } });
    oracle = new Oracle({ relay, protocol: 'range', file: oracleFile });
    const watch = new Watch({ url: `http://127.0.0.1:${server.address().port}`, id: 'one', oracle,
        upload: () => oracle.upload(), graceMs: 20, formMs: 20, mustResume: true, finalMs: 400 });
    const watching = watch.run();
    let cut = false;

    relay.on('body', (record) => {
        // The fourth one; it is sent again.
        if (!cut && record.number === 3 && record.forwarded > CHUNK / 2) {
            cut = true;
            record.link.close();
        }
    });
    await sendFile(relay.port, file, relay);
    await sleep(40);
    watch.stop();
    await watching;
    await watch.finish();
    await relay.close();
    server.closeAllConnections();
    await new Promise((done) => { server.close(done); });
    return { watch, oracle, state, cut };
}

async function testHonest(low) {
    const { watch, oracle, state, cut } = await watchOne((answer) => answer, { low });

    assert.deepEqual(watch.faults, []);
    assert.deepEqual(oracle.faults, []);
    assert.deepEqual(oracle.missing(oracle.upload()), []);
    assert.ok(cut);
    assert.ok(state.most <= 0, `the server had ${state.most} bytes more than the relay had counted`);
    assert.ok(state.same);
    assert.deepEqual([...watch.seen.states].filter((name) => name !== 'starting'), ['uploading', 'done']);
    assert.ok(watch.seen.phases.has('waiting'));
    assert.ok(watch.seen.received.size > (low ? 4 : 15));
    return `${watch.readings} readings, ${watch.seen.received.size} counts`;
}

async function testOracle() {
    const file = randomBytes(TOTAL);
    const oracleFile = Buffer.from(file);

    oracleFile[2 * CHUNK + 5] ^= 1;
    const { oracle } = await watchOne((answer) => answer, { file, oracleFile });
    assert.ok(oracle.faults.some((fault) => fault.includes('not those of the file')));
}

let failed = false;

async function check(name, run) {
    try {
        const said = await run();
        console.log(`fine: ${name}${said ? `: ${said}` : ''}`);
    } catch (error) {
        failed = true;
        console.log(`WRONG: ${name}: ${error.message}`);
    }
}

await check('sets of ranges', testRanges);
await check('messages', testMessages);
await check('multipart bodies', testMultipart);
await check('an honest server', () => testHonest(false));
await check('an honest server that counts whole pieces', () => testHonest(true));
await check('a byte that is not where it should be', testOracle);
for (const [name, lie] of Object.entries(LIARS)) {
    await check(`a server that lies: ${name}`, async () => {
        const low = name === 'behind' || name === 'pieces, too few' || name === 'missing, too much';
        const { watch } = await watchOne(lie, { low });
        const [kind] = name.split(',');

        assert.ok(watch.counts.has(kind), `the watch says ${JSON.stringify(watch.faults)}`);
        return `${watch.counts.get(kind)} times`;
    });
}
process.exitCode = failed ? 1 : 0;
